/**
 * What a model's tokens cost, as a user states it: prices change, so none are built in. Pure. Costs are whole
 * millionths of a US dollar, so that sums are exact in any order.
 */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import type { Usage } from "./Usage.js"

const Price = Schema.NonNegative.pipe(Schema.lessThanOrEqualTo(1_000_000))

/** US dollars per million tokens. */
export const Prices = Schema.Struct({
  input: Price,
  /** Reasoning counts as output. */
  output: Price,
  /** Input that was read from the provider's cache. Defaults to `input`. */
  cachedInput: Schema.optionalWith(Price, { exact: true }),
  /** Input that was written to the provider's cache. Defaults to `input`. */
  cacheWrite: Schema.optionalWith(Price, { exact: true })
}).annotations({ identifier: "Prices" })
export type Prices = Named<typeof Prices.Type>

/** Upper bound for the cost of a step, so that an absurd count of tokens does not spoil a sum. */
const most = 1_000_000_000_000

/** Returns a step's usage with its cost, if the provider reported its input and output tokens. */
export const withCost = (usage: Usage, { cachedInput, cacheWrite, input, output }: Prices): Usage => {
  const { cachedInputTokens, cacheWriteTokens, inputTokens, outputTokens } = usage
  if (inputTokens === null || outputTokens === null) return usage
  const read = Math.min(cachedInputTokens ?? 0, inputTokens)
  const written = Math.min(cacheWriteTokens ?? 0, inputTokens - read)
  const cost =
    (inputTokens - read - written) * input +
    read * (cachedInput ?? input) +
    written * (cacheWrite ?? input) +
    outputTokens * output
  return { ...usage, costMicroUsd: Math.min(Math.round(cost), most) }
}
