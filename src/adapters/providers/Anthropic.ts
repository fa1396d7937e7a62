/**
 * Claude, through Anthropic's Messages API. The package is loaded with the first step.
 *
 * Guaranteed:
 * - Signed and redacted thinking goes back unchanged. The API refuses thinking without a signature, so it is left out.
 * - The prompt is cached up to its last message, unless `cache` is false.
 */
import type { LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { Predicate, Redacted } from "effect"
import type { ConfigError, Effect } from "effect"
import type * as ModelRef from "../../domain/ModelRef.js"
import type { Model, Models } from "../../services/Model.js"
import * as OutputBudget from "../../domain/OutputBudget.js"
import * as Claude from "./Claude.js"
import * as OutputSchema from "./OutputSchema.js"
import * as ProviderModels from "./ProviderModels.js"
import type { ServerSettings } from "./Settings.js"
import * as Step from "./Step.js"
import * as Vendor from "./Vendor.js"

/** A model of Anthropic, and how its server is reached. */
export interface Options extends ServerSettings {
  readonly apiKey: Redacted.Redacted
  /** The model's name at Anthropic, such as "claude-sonnet-4-5". */
  readonly model: string
  /** The provider's name in Skein. Defaults to "anthropic". */
  readonly provider?: string
  /** Whether Anthropic caches the prompt for the next step. Defaults to true. */
  readonly cache?: boolean
}

/** One model of Anthropic. */
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
        load: async (fetch) => {
          const { createAnthropic } = await import("@ai-sdk/anthropic")
          return createAnthropic({
            apiKey: Redacted.value(apiKey),
            baseURL: baseUrl ?? "https://api.anthropic.com/v1",
            headers: Vendor.plainHeaders(headers),
            fetch: plainly(fetch)
          })(model)
        },
        secrets: [apiKey, ...Vendor.headerSecrets(headers)],
        fault: Vendor.serverFault(options),
        providerOptions: (options, view) => ({
          anthropic: {
            // Other servers that speak this protocol refuse its field.
            toolStreaming: isOwnServer,
            // Otherwise, for models that it does not know, the package makes a tool of the form and forces its call.
            structuredOutputMode: "outputFormat",
            ...Claude.thinking(model, options.reasoningEffort, view, { budget: thinkingTokens(options), isOwnServer })
          }
        }),
        thinkingTokens,
        takesStop: (text) => text.trim() !== "",
        takesFilesInResults: true,
        takesOutput: isOwnServer && Claude.holdsToOutput(model),
        outputSchema: OutputSchema.forAnthropic,
        // As Anthropic documents, whatever follows a refused turn is refused too.
        takesRefusedTurns: false,
        mayIgnore: isNews,
        finishReason: ({ raw, unified }) => (raw === "pause_turn" ? "paused" : unified),
        pieces: new Set(["signature"]),
        ...(cache ? { finishPrompt: markForCache } : {})
      }
    )
  )
}

/** Whether the server is Anthropic's own. */
const isAnthropics = (baseUrl: string): boolean =>
  URL.canParse(baseUrl) && /(?:^|\.)anthropic\.com$/u.test(new URL(baseUrl).hostname)

/** Drops a beta header that is not used: the SDK requests structured outputs whenever there are tools. */
const plainly =
  (fetch: Vendor.Fetch): Vendor.Fetch =>
  (input, init) => {
    const headers = new Headers(init?.headers)
    const betas = (headers.get("anthropic-beta") ?? "")
      .split(",")
      .filter((beta) => !beta.trim().startsWith("structured-outputs-"))
    if (betas.join("") === "") headers.delete("anthropic-beta")
    else headers.set("anthropic-beta", betas.join(","))
    return fetch(input, { ...init, headers })
  }

/**
 * The models of an agent whose sessions name no model or one of this provider. The key defaults to ANTHROPIC_API_KEY.
 */
export const models = (
  options: Omit<Options, "apiKey"> & { readonly apiKey?: Redacted.Redacted }
): Effect.Effect<Models, ConfigError.ConfigError> => {
  const { apiKey, contextTokens: _, ...rest } = options
  return ProviderModels.withKey("ANTHROPIC_API_KEY", apiKey, (apiKey, model) =>
    make(model === undefined ? { ...options, apiKey } : { ...rest, apiKey, model })
  )
}

/** The kinds that this version knows. The API may add others, which are ignored. */
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

/** Whether a frame that does not decode is of an unknown kind, and so holds nothing that a step keeps. */
const isNews = (frame: unknown): boolean =>
  isNew("event", frame) ||
  (Predicate.hasProperty(frame, "content_block") && isNew("block", frame.content_block)) ||
  (Predicate.hasProperty(frame, "delta") && frameType(frame) === "content_block_delta" && isNew("delta", frame.delta))

const frameType = (frame: unknown): unknown => (Predicate.hasProperty(frame, "type") ? frame.type : undefined)

const cacheControl: SharedV3ProviderOptions = { anthropic: { cacheControl: { type: "ephemeral" } } }

/**
 * Marks the prefixes to cache: tools and system, all messages, and the messages of the previous request. The API looks
 * for a cached prefix only within 20 blocks before a mark, and one step with many calls is longer than that.
 */
const markForCache = (prompt: LanguageModelV3Prompt): LanguageModelV3Prompt => {
  const before = prompt.findLastIndex(({ role }) => role === "assistant") - 1
  return prompt.map((message, index) =>
    message.role === "system" || index === before || index === prompt.length - 1
      ? { ...message, providerOptions: cacheControl }
      : message
  )
}
