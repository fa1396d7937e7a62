/** `skein/openai`: OpenAI's models, and any server that speaks its chat completions. */
export * as ChatCompletions from "./adapters/providers/ChatCompletions.js"
export * as OpenAi from "./adapters/providers/OpenAi.js"
