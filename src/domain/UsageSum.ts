/** Sums of usage. Has no Schemas, because the page includes this file. Pure. */
import type { Total, Usage } from "./Usage.js"

/** The sum of no steps. */
export const zero: Total = {
  steps: 0,
  unknownSteps: 0,
  inputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  cachedInputTokens: 0,
  costMicroUsd: 0
}

/** Adds one step to a sum. */
export const add = (total: Total, usage: Usage): Total => ({
  steps: total.steps + 1,
  unknownSteps: total.unknownSteps + (usage.inputTokens === null || usage.outputTokens === null ? 1 : 0),
  inputTokens: total.inputTokens + (usage.inputTokens ?? 0),
  outputTokens: total.outputTokens + (usage.outputTokens ?? 0),
  reasoningTokens: total.reasoningTokens + (usage.reasoningTokens ?? 0),
  cachedInputTokens: total.cachedInputTokens + (usage.cachedInputTokens ?? 0),
  costMicroUsd: total.costMicroUsd + (usage.costMicroUsd ?? 0)
})
