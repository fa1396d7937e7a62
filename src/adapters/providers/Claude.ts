/**
 * What is known of Claude models by their names, and how they are told to think. A name that says no version is taken
 * for that of a model that thinks within a budget.
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

/** From Claude 4.6 on models think as much as the effort says; those before are given a budget in tokens. */
const isAdaptive = (model: string): boolean => isFrom(model, 4, 6)

/** Models before 3.7 do not think. */
const cannotThink = (model: string): boolean => versionOf(model) !== null && !isFrom(model, 3, 7)

/** Models whose thinking cannot be switched off. */
const alwaysThinks = (model: string): boolean =>
  /claude-(?:fable|mythos)/u.test(model) || (/claude-(?:opus|sonnet)/u.test(model) && isFrom(model, 5, 5))

/** From 5.1 on thinking is bound to everything before it. */
const bindsThinking = (model: string): boolean => isFrom(model, 5, 1)

/** Models that think between the calls of a turn only when they are asked to. */
const interleaves = (model: string): boolean => isFrom(model, 4, 0) && !isAdaptive(model)

/** Tokens that fit into one request; null for a model that is not Claude. */
export const contextTokens = (model: string): number | null => (model.startsWith("claude-") ? 200_000 : null)

/** Most tokens that the oldest models write; null for all others. */
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

/** The least that the API takes. */
const leastBudget = 1_024

/** Tokens that a model of the older kind may think, besides what it may write: at most `most`. 0 when it is not to. */
export const budgetOf = (model: string, effort: ReasoningEffort | undefined, most: number): number => {
  if (effort === undefined || effort === "none" || isAdaptive(model) || cannotThink(model)) return 0
  const budget = Math.min(budgets[effort], most)
  return budget < leastBudget ? 0 : budget
}

const effortOf = (model: string, effort: Exclude<ReasoningEffort, "none">): string => {
  if (effort === "minimal") return "low"
  return effort === "xhigh" && !isFrom(model, 4, 7) ? "high" : effort
}

/** Thinking that the API takes back: signed, or sealed as a whole. */
const isSigned = (part: Extract<ViewItem, { readonly role: "assistant" }>["parts"][number]): boolean => {
  if (part.type !== "reasoning") return false
  const kept = part.providerMetadata?.anthropic
  return Predicate.isRecord(kept) && (Predicate.isString(kept.signature) || Predicate.isString(kept.redactedData))
}

/**
 * Whether the turn goes on that began without thinking: then older models must not be told to think. What a user says
 * right after results is sent in one message with them, and so begins no turn.
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

/** Thinking whose beginning has changed is left out by the server, and does not fail the request. */
const blockBinding = { prefixMismatchBehavior: "drop_block" }

/** What the SDK is told of thinking. `isOwnServer` is whether the server is Anthropic's, which knows all options. */
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
