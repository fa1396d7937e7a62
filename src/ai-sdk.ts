/** `skein/ai-sdk`: any model of the Vercel AI SDK. */
export * as AiSdk from "./adapters/providers/AiSdk.js"
