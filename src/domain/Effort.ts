/** How much a model should think. Has no Schemas, because the page includes this file. Pure. */
import type { ModelRef, ReasoningEffort } from "./ModelRef.js"

/** Least first. */
export const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const

/** Returns the model with this effort; null leaves the effort to its provider. The other options stay. */
export const withEffort = ({ options, ...model }: ModelRef, effort: ReasoningEffort | null): ModelRef => {
  const { reasoningEffort: _, ...others } = options ?? {}
  const merged = effort === null ? others : { ...others, reasoningEffort: effort }
  return Object.keys(merged).length === 0 ? model : { ...model, options: merged }
}
