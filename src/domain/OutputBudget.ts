/**
 * How many tokens one step may write, reasoning included. The request and the cut of the view both use this number.
 * Pure.
 */

/** The budget where none is set. */
export const standard = 8_192

/** Limits tokens to half of the model's context, so that the other half is left for the conversation. */
export const within = (tokens: number, contextTokens: number | null): number =>
  contextTokens === null ? tokens : Math.min(tokens, Math.max(Math.floor(contextTokens / 2), 1))
