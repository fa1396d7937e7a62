/**
 * What a Claude model's name says about it, and the options that make it think. A name without a version is treated as
 * a model that thinks within a budget.
 */
import type { SharedV3ProviderOptions } from "@ai-sdk/provider"
import { Predicate } from "effect"
import type { ReasoningEffort } from "../../domain/ModelRef.js"
import type { View, ViewItem } from "../../domain/View.js"

interface Version {
  readonly family: string
  readonly major: number
  readonly minor: number
}

const versionOf = (model: string): Version | null => {
  const [, family, major, minor = "0"] = /claude-(?:([a-z]+)-)?(\d{1,2})(?:-(\d{1,2}))?(?!\d)/u.exec(model) ?? []
  return major === undefined ? null : { family: family ?? "", major: Number(major), minor: Number(minor) }
}

const isFrom = (model: string, major: number, minor: number): boolean => {
  const version = versionOf(model)
  return version !== null && (version.major > major || (version.major === major && version.minor >= minor))
}

/** From Claude 4.6 on, the effort controls thinking. Earlier models take a budget in tokens. */
const isAdaptive = (model: string): boolean => isFrom(model, 4, 6)

/** Models before 3.7 cannot think. */
const cannotThink = (model: string): boolean => versionOf(model) !== null && !isFrom(model, 3, 7)

/** Models whose thinking cannot be switched off. */
const alwaysThinks = (model: string): boolean =>
  /claude-(?:fable|mythos)/u.test(model) || (/claude-(?:opus|sonnet)/u.test(model) && isFrom(model, 5, 5))

/** From 5.1 on, thinking is bound to everything before it. */
const bindsThinking = (model: string): boolean => isFrom(model, 5, 1)

/** Models that think between the calls of a turn only on request. */
const interleaves = (model: string): boolean => isFrom(model, 4, 0) && !isAdaptive(model)

/** Models that can be held to the JSON Schema of an answer: from Claude 4.5 on, and Opus 4.1. */
export const holdsToOutput = (model: string): boolean =>
  isFrom(model, 4, 5) || (versionOf(model)?.family === "opus" && isFrom(model, 4, 1))

/** Tokens that fit into one request; null if the model is not a Claude model. */
export const contextTokens = (model: string): number | null => (model.startsWith("claude-") ? 200_000 : null)

/** Output limit of the oldest models in tokens; null for all others. */
export const mostOutputTokens = (model: string): number | null =>
  /claude-3-(?:opus|sonnet|haiku)/u.test(model) ? 4_096 : null

const budgets: Readonly<Record<Exclude<ReasoningEffort, "none">, number>> = {
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 24_576,
  max: 31_999
}

/** The smallest budget that the API accepts. */
const leastBudget = 1_024

/** Tokens that an older model may think in addition to its output, at most `most`. 0 if it should not think. */
export const budgetOf = (model: string, effort: ReasoningEffort | undefined, most: number): number => {
  if (effort === undefined || effort === "none" || isAdaptive(model) || cannotThink(model)) return 0
  const budget = Math.min(budgets[effort], most)
  return budget < leastBudget ? 0 : budget
}

const effortOf = (model: string, effort: Exclude<ReasoningEffort, "none">): string => {
  if (effort === "minimal") return "low"
  return effort === "xhigh" && !isFrom(model, 4, 7) ? "high" : effort
}

/** Whether the API accepts the thinking: it is signed or redacted. */
const isSigned = (part: Extract<ViewItem, { readonly role: "assistant" }>["parts"][number]): boolean => {
  if (part.type !== "reasoning") return false
  const kept = part.providerMetadata?.anthropic
  return Predicate.isRecord(kept) && (Predicate.isString(kept.signature) || Predicate.isString(kept.redactedData))
}

/**
 * Whether the current turn began without thinking. Older models must not be told to think in it. A user message right
 * after results is sent in one message with them, so it does not begin a turn.
 */
const isThoughtless = (view: View): boolean => {
  const beginning = view.findLastIndex(
    ({ role }, index) => role === "user" && (view[index - 1]?.role ?? "assistant") === "assistant"
  )
  const first = view.slice(beginning + 1).find(({ role }) => role === "assistant")
  const [opening] = first?.role === "assistant" ? first.parts : []
  return opening !== undefined && !isSigned(opening)
}

const holdsThinking = (view: View): boolean =>
  view.some((item) => item.role === "assistant" && item.parts.some(isSigned))

/** The server drops thinking whose prefix has changed, instead of refusing the request. */
const blockBinding = { prefixMismatchBehavior: "drop_block" }

/** The SDK's options for thinking. `isOwnServer` says whether the server is Anthropic's, which knows all options. */
export const thinking = (
  model: string,
  effort: ReasoningEffort | undefined,
  view: View,
  settings: { readonly budget: number; readonly isOwnServer: boolean }
): SharedV3ProviderOptions[string] => {
  const binding = bindsThinking(model) && holdsThinking(view) ? { blockBinding } : {}
  const left = "blockBinding" in binding ? { thinking: binding } : {}
  if (effort === undefined || cannotThink(model)) return left
  if (effort === "none") return alwaysThinks(model) ? { ...left, effort: "low" } : { thinking: { type: "disabled" } }
  if (isAdaptive(model)) {
    return { thinking: { type: "adaptive", display: "summarized", ...binding }, effort: effortOf(model, effort) }
  }
  if (settings.budget === 0 || isThoughtless(view)) return {}
  return {
    thinking: { type: "enabled", budgetTokens: settings.budget },
    ...(settings.isOwnServer && interleaves(model) ? { anthropicBeta: ["interleaved-thinking-2025-05-14"] } : {})
  }
}
