/**
 * How many tokens one step may write, reasoning included. The request and the cut of the view both reckon with this
 * number. Pure.
 */

/** When nobody says. */
export const standard = 8_192

/** At most half of the model's context, so that the other half is left for the conversation. */
export const within = (tokens: number, contextTokens: number | null): number =>
  contextTokens === null ? tokens : Math.min(tokens, Math.max(Math.floor(contextTokens / 2), 1))
