/**
 * What a model's tokens cost, as a user states it: prices change, so that none are built in. Pure. Amounts are whole
 * millionths of a US dollar, so that sums are exact in whatever order they are made.
 */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import type { Usage } from "./Usage.js"

const Price = Schema.NonNegative.pipe(Schema.lessThanOrEqualTo(1_000_000))

/** US dollars for a million tokens each. */
export const Prices = Schema.Struct({
  input: Price,
  /** Reasoning is output. */
  output: Price,
  /** Input that was read from the provider's cache. Defaults to `input`. */
  cachedInput: Schema.optionalWith(Price, { exact: true }),
  /** Input that was written to the provider's cache. Defaults to `input`. */
  cacheWrite: Schema.optionalWith(Price, { exact: true })
}).annotations({ identifier: "Prices" })
export type Prices = Named<typeof Prices.Type>

/** A step costs no more: a count of tokens that is out of all reason spoils no sum. */
const most = 1_000_000_000_000

/** A step's usage with what it cost, as far as the provider reported its tokens. */
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
