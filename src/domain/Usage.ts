/**
 * Token usage of one step and its sum over a run or a session. A count that the provider did not report is `null`,
 * never zero; a sum adds what is known and counts the steps that left something unknown.
 */
import { Schema } from "effect"
import type { Named } from "./Named.js"

const Count = Schema.NullOr(Schema.NonNegativeInt)

/** The tokens of one step; null for a count that the provider did not report. */
export const Usage = Schema.Struct({
  inputTokens: Count,
  outputTokens: Count,
  reasoningTokens: Count,
  /** Those of the input that the provider read from its cache. */
  cachedInputTokens: Count,
  /** Those of the input that the provider wrote to its cache; absent like null. Not part of sums. */
  cacheWriteTokens: Schema.optionalWith(Count, { exact: true })
}).annotations({ identifier: "Usage" })
export type Usage = Named<typeof Usage.Type>

/** The usage of a step of which nothing was reported. */
export const unknown: Usage = { inputTokens: null, outputTokens: null, reasoningTokens: null, cachedInputTokens: null }

/** The sum over steps. `unknownSteps` counts the steps whose input or output tokens the provider did not report. */
export const Total = Schema.Struct({
  steps: Schema.NonNegativeInt,
  unknownSteps: Schema.NonNegativeInt,
  inputTokens: Schema.NonNegativeInt,
  outputTokens: Schema.NonNegativeInt,
  reasoningTokens: Schema.NonNegativeInt,
  cachedInputTokens: Schema.NonNegativeInt
}).annotations({ identifier: "UsageTotal" })
export type Total = Named<typeof Total.Type>

/** The sum of no steps. */
export const zero: Total = {
  steps: 0,
  unknownSteps: 0,
  inputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  cachedInputTokens: 0
}

/** Adds one step to a sum. */
export const add = (total: Total, usage: Usage): Total => ({
  steps: total.steps + 1,
  unknownSteps: total.unknownSteps + (usage.inputTokens === null || usage.outputTokens === null ? 1 : 0),
  inputTokens: total.inputTokens + (usage.inputTokens ?? 0),
  outputTokens: total.outputTokens + (usage.outputTokens ?? 0),
  reasoningTokens: total.reasoningTokens + (usage.reasoningTokens ?? 0),
  cachedInputTokens: total.cachedInputTokens + (usage.cachedInputTokens ?? 0)
})

/** Takes one step out of a sum that has it. */
export const subtract = (total: Total, usage: Usage): Total => {
  const step = add(zero, usage)
  const less = (field: keyof Total) => Math.max(0, total[field] - step[field])
  return {
    steps: less("steps"),
    unknownSteps: less("unknownSteps"),
    inputTokens: less("inputTokens"),
    outputTokens: less("outputTokens"),
    reasoningTokens: less("reasoningTokens"),
    cachedInputTokens: less("cachedInputTokens")
  }
}
