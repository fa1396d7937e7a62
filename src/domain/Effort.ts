/** How much a model is to think. Without Schemas: the page has this in it. Pure. */
import type { ModelRef, ReasoningEffort } from "./ModelRef.js"

/** The least first. */
export const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const

/** The model with this effort, or with null as its provider has it. What else is said of how it is asked stays. */
export const withEffort = ({ options, ...model }: ModelRef, effort: ReasoningEffort | null): ModelRef => {
  const { reasoningEffort: _, ...others } = options ?? {}
  const merged = effort === null ? others : { ...others, reasoningEffort: effort }
  return Object.keys(merged).length === 0 ? model : { ...model, options: merged }
}
