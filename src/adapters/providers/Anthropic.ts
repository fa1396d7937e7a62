/**
 * Claude, by Anthropic's Messages API. The package is loaded when the first step is made.
 *
 * Guaranteed: signed and redacted thinking goes back as it came; thinking without a signature, which the API refuses,
 * is left out. The prompt is cached up to its last message unless `cache` is false.
 */
import type { LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { Predicate, Redacted } from "effect"
import type { ConfigError, Layer } from "effect"
import type * as ModelRef from "../../domain/ModelRef.js"
import type { Model, Models } from "../../services/Model.js"
import * as ProviderLayer from "./ProviderLayer.js"
import * as Step from "./Step.js"
import * as Vendor from "./Vendor.js"

export interface Options extends Vendor.ServerSettings {
  readonly apiKey: Redacted.Redacted
  /** The model's name at Anthropic, such as "claude-sonnet-4-5". */
  readonly model: string
  /** What the provider is called in Skein. Defaults to "anthropic". */
  readonly provider?: string
  /** Whether to let Anthropic keep the prompt for the next step. Defaults to true. */
  readonly cache?: boolean
}

export const make = (options: Options): Model => {
  const { apiKey, baseUrl, cache = true, headers, model, provider = "anthropic" } = options
  const context = model.startsWith("claude-") ? { contextTokens: 200_000 } : {}
  return Step.model(
    Vendor.make(
      { provider, model },
      { ...context, ...options },
      {
        load: async () => {
          const { createAnthropic } = await import("@ai-sdk/anthropic")
          return createAnthropic({
            apiKey: Redacted.value(apiKey),
            baseURL: baseUrl ?? "https://api.anthropic.com/v1",
            headers: Vendor.plainHeaders(headers),
            fetch: Vendor.fetchHere
          })(model)
        },
        secrets: [apiKey, ...Vendor.headerSecrets(headers)],
        providerOptions: (options) => providerOptions(model, options),
        mayIgnore: isNewEvent,
        ...(cache ? { finishPrompt: markForCache } : {})
      }
    )
  )
}

/**
 * Serves every session that names no model, or one of this provider. The key is taken from ANTHROPIC_API_KEY unless it
 * is given.
 */
export const layer = (
  options: Omit<Options, "apiKey"> & { readonly apiKey?: Redacted.Redacted }
): Layer.Layer<Models, ConfigError.ConfigError> => {
  const { apiKey, contextTokens: _, ...rest } = options
  return ProviderLayer.withKey("ANTHROPIC_API_KEY", apiKey, (apiKey, model) =>
    make(model === undefined ? { ...options, apiKey } : { ...rest, apiKey, model })
  )
}

const budgets = { minimal: 1024, low: 2048, medium: 8192, high: 16_384 }

/** From Claude 4.6 on models think as much as the effort says; those before are given a budget in tokens. */
const providerOptions = (model: string, { reasoningEffort }: ModelRef.Options): SharedV3ProviderOptions => {
  if (reasoningEffort === undefined) return {}
  if (reasoningEffort === "none") return { anthropic: { thinking: { type: "disabled" } } }
  if (!isAdaptive(model))
    return { anthropic: { thinking: { type: "enabled", budgetTokens: budgets[reasoningEffort] } } }
  const effort = reasoningEffort === "minimal" ? "low" : reasoningEffort
  return { anthropic: { thinking: { type: "adaptive", display: "summarized" }, effort } }
}

const isAdaptive = (model: string): boolean => {
  const [, major = "0", minor = "0"] = /claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)/u.exec(model) ?? []
  return Number(major) > 4 || (major === "4" && Number(minor) >= 6)
}

const events = new Set([
  "message_start",
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop",
  "ping",
  "error"
])

/** The API may get new kinds of events, which clients are asked to pass over. */
const isNewEvent = (frame: unknown): boolean =>
  Predicate.hasProperty(frame, "type") && Predicate.isString(frame.type) && !events.has(frame.type)

const cacheControl: SharedV3ProviderOptions = { anthropic: { cacheControl: { type: "ephemeral" } } }

/** Tools and system make up one stretch to keep, the messages so far the next. */
const markForCache = (prompt: LanguageModelV3Prompt): LanguageModelV3Prompt =>
  prompt.map((message, index) =>
    message.role === "system" || index === prompt.length - 1 ? { ...message, providerOptions: cacheControl } : message
  )
