/**
 * Token usage, and cost, of one step and its sum over a run or a session. A count that the provider did not report is `null`,
 * never zero; a sum adds what is known and counts the steps that left something unknown. A step has a cost if the
 * prices of its model were stated; the cost stays when the prices change.
 */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import { add, zero } from "./UsageSum.js"

export { add, zero }

const Count = Schema.NullOr(Schema.NonNegativeInt)

/** The tokens of one step; null for a count that the provider did not report. */
export const Usage = Schema.Struct({
  inputTokens: Count,
  outputTokens: Count,
  reasoningTokens: Count,
  /** Input tokens that the provider read from its cache. */
  cachedInputTokens: Count,
  /** Input tokens that the provider wrote to its cache; absent means null. Not part of sums. */
  cacheWriteTokens: Schema.optionalWith(Count, { exact: true }),
  /** What the step cost, in millionths of a US dollar; absent means null, such as where no prices were stated. */
  costMicroUsd: Schema.optionalWith(Count, { exact: true })
}).annotations({ identifier: "Usage" })
export type Usage = Named<typeof Usage.Type>

/** The usage of a step for which nothing was reported. */
export const unknown: Usage = { inputTokens: null, outputTokens: null, reasoningTokens: null, cachedInputTokens: null }

/** The sum over steps. `unknownSteps` counts the steps whose input or output tokens the provider did not report. */
export const Total = Schema.Struct({
  steps: Schema.NonNegativeInt,
  unknownSteps: Schema.NonNegativeInt,
  inputTokens: Schema.NonNegativeInt,
  outputTokens: Schema.NonNegativeInt,
  reasoningTokens: Schema.NonNegativeInt,
  cachedInputTokens: Schema.NonNegativeInt,
  /** What is known of the steps' cost, in millionths of a US dollar. */
  costMicroUsd: Schema.NonNegativeInt
}).annotations({ identifier: "UsageTotal" })
export type Total = Named<typeof Total.Type>

/** Subtracts one step from a sum that includes it. */
export const subtract = (total: Total, usage: Usage): Total => {
  const step = add(zero, usage)
  const less = (field: keyof Total) => Math.max(0, total[field] - step[field])
  return {
    steps: less("steps"),
    unknownSteps: less("unknownSteps"),
    inputTokens: less("inputTokens"),
    outputTokens: less("outputTokens"),
    reasoningTokens: less("reasoningTokens"),
    cachedInputTokens: less("cachedInputTokens"),
    costMicroUsd: less("costMicroUsd")
  }
}
