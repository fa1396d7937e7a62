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
import * as OutputBudget from "../../domain/OutputBudget.js"
import * as Claude from "./Claude.js"
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
  const isOwnServer = baseUrl === undefined || isAnthropics(baseUrl)
  const contextTokens = options.contextTokens ?? Claude.contextTokens(model)
  const most = contextTokens === null ? Infinity : Math.floor(contextTokens / 4)
  const thinkingTokens = ({ reasoningEffort }: ModelRef.Options) => Claude.budgetOf(model, reasoningEffort, most)
  return Step.model(
    Vendor.make(
      { provider, model },
      {
        ...options,
        ...(contextTokens === null ? {} : { contextTokens }),
        maxOutputTokens: options.maxOutputTokens ?? Claude.mostOutputTokens(model) ?? OutputBudget.standard
      },
      {
        load: async () => {
          const { createAnthropic } = await import("@ai-sdk/anthropic")
          return createAnthropic({
            apiKey: Redacted.value(apiKey),
            baseURL: baseUrl ?? "https://api.anthropic.com/v1",
            headers: Vendor.plainHeaders(headers),
            fetch: fetchPlainly
          })(model)
        },
        secrets: [apiKey, ...Vendor.headerSecrets(headers)],
        providerOptions: (options, view) => ({
          anthropic: {
            // Other servers that speak this protocol refuse the field that it stands for.
            toolStreaming: isOwnServer,
            ...Claude.thinking(model, options.reasoningEffort, view, { budget: thinkingTokens(options), isOwnServer })
          }
        }),
        thinkingTokens,
        takesStop: (text) => text.trim() !== "",
        // Anthropic's pages on stop reasons: what follows a refused turn is refused too.
        takesRefusedTurns: false,
        mayIgnore: isNews,
        finishReason: ({ raw, unified }) => (raw === "pause_turn" ? "paused" : unified),
        pieces: new Set(["signature"]),
        ...(cache ? { finishPrompt: markForCache } : {})
      }
    )
  )
}

/** Whether a server is Anthropic's own. */
const isAnthropics = (baseUrl: string): boolean =>
  URL.canParse(baseUrl) && /(?:^|\.)anthropic\.com$/u.test(new URL(baseUrl).hostname)

/** Asks for no beta that is not used: the SDK asks for structured outputs whenever there are tools. */
const fetchPlainly: typeof globalThis.fetch = (input, init) => {
  const headers = new Headers(init?.headers)
  const betas = (headers.get("anthropic-beta") ?? "")
    .split(",")
    .filter((beta) => !beta.trim().startsWith("structured-outputs-"))
  if (betas.join("") === "") headers.delete("anthropic-beta")
  else headers.set("anthropic-beta", betas.join(","))
  return Vendor.fetchHere(input, { ...init, headers })
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

/** What a client of this version knows, by what names it. The API may get new kinds, which are to be passed over. */
const known: Readonly<Record<"event" | "block" | "delta", ReadonlySet<string>>> = {
  event: new Set([
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error"
  ]),
  block: new Set(["text", "thinking", "redacted_thinking", "tool_use"]),
  delta: new Set(["text_delta", "thinking_delta", "signature_delta", "input_json_delta"])
}

const isNew = (kind: keyof typeof known, value: unknown): boolean =>
  Predicate.hasProperty(value, "type") && Predicate.isString(value.type) && !known[kind].has(value.type)

/** Whether a frame that does not decode holds nothing that a step keeps. */
const isNews = (frame: unknown): boolean =>
  isNew("event", frame) ||
  (Predicate.hasProperty(frame, "content_block") && isNew("block", frame.content_block)) ||
  (Predicate.hasProperty(frame, "delta") && frameType(frame) === "content_block_delta" && isNew("delta", frame.delta))

const frameType = (frame: unknown): unknown => (Predicate.hasProperty(frame, "type") ? frame.type : undefined)

const cacheControl: SharedV3ProviderOptions = { anthropic: { cacheControl: { type: "ephemeral" } } }

/**
 * Marks what the API is to keep: tools and system, all messages, and the messages of the request before. The API finds a
 * kept beginning only within 20 blocks before a mark, and one step of many calls is more than that.
 */
const markForCache = (prompt: LanguageModelV3Prompt): LanguageModelV3Prompt => {
  const before = prompt.findLastIndex(({ role }) => role === "assistant") - 1
  return prompt.map((message, index) =>
    message.role === "system" || index === before || index === prompt.length - 1
      ? { ...message, providerOptions: cacheControl }
      : message
  )
}
