/** `skein/anthropic`: Claude. */
export * as Anthropic from "./adapters/providers/Anthropic.js"
