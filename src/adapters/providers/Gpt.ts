/** The reasoning efforts that OpenAI's models accept, by model name. An unknown effort becomes the nearest known one. */
import { ReasoningEffort } from "../../domain/ModelRef.js"

const scale = ReasoningEffort.literals

/** Null for an unknown model. */
const effortsOf = (model: string): ReadonlyArray<ReasoningEffort> | null => {
  if (/^o\d/u.test(model)) return ["low", "medium", "high"]
  const [, major, minor = "0"] = /^gpt-(\d+)(?:\.(\d+))?/u.exec(model) ?? []
  if (major === undefined || Number(major) < 5) return null
  if (Number(major) > 5) return ["low", "medium", "high", "xhigh", "max"]
  if (Number(minor) >= 2 || model.includes("codex-max")) return ["none", "low", "medium", "high", "xhigh"]
  if (Number(minor) === 1) return ["none", "low", "medium", "high"]
  return model.startsWith("gpt-5-pro") ? ["high"] : ["minimal", "low", "medium", "high"]
}

/**
 * Returns the nearest effort that the model accepts; of two equally near ones, the higher. `others` are the efforts of a
 * model that is not known; without them it gets what is wanted.
 */
export const effort = (
  model: string,
  wanted: ReasoningEffort,
  others: ReadonlyArray<ReasoningEffort> = [wanted]
): ReasoningEffort => {
  const distance = (other: ReasoningEffort) => Math.abs(scale.indexOf(other) - scale.indexOf(wanted))
  const known = effortsOf(model) ?? others
  return known.reduce((best, other) => (distance(other) <= distance(best) ? other : best))
}
