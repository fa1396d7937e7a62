/**
 * OpenAI's models, through the Responses API. The package is loaded with the first step.
 *
 * Guaranteed: nothing depends on data that OpenAI stores. Responses are not stored there (`store: false`). Reasoning
 * arrives encrypted and goes back unchanged. Reasoning without its encrypted content is left out, because the API would
 * look for the stored item and fail.
 */
import type { LanguageModelV3Message, LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { Predicate, Redacted } from "effect"
import type { ConfigError, Effect } from "effect"
import type * as ModelRef from "../../domain/ModelRef.js"
import type { Model, Models } from "../../services/Model.js"
import * as Gpt from "./Gpt.js"
import * as OutputSchema from "./OutputSchema.js"
import * as ProviderModels from "./ProviderModels.js"
import type { ServerSettings } from "./Settings.js"
import * as Step from "./Step.js"
import * as Vendor from "./Vendor.js"

/** A model of OpenAI, and how its server is reached. */
export interface Options extends ServerSettings {
  readonly apiKey: Redacted.Redacted
  /** The model's name at OpenAI, such as "gpt-5". */
  readonly model: string
  /** The provider's name in Skein. Defaults to "openai". */
  readonly provider?: string
  /** Requests a summary of the reasoning, which some models return to verified organizations only. Defaults to none. */
  readonly reasoningSummary?: "auto" | "concise" | "detailed"
}

/** One model of OpenAI, through the Responses API. */
export const make = (options: Options): Model => {
  const { apiKey, baseUrl, headers, model, provider = "openai" } = options
  return Step.model(
    Vendor.make({ provider, model }, options, {
      load: async (fetch) => {
        const { createOpenAI } = await import("@ai-sdk/openai")
        return createOpenAI({
          apiKey: Redacted.value(apiKey),
          baseURL: baseUrl ?? "https://api.openai.com/v1",
          headers: Vendor.plainHeaders(headers),
          fetch
        }).responses(model)
      },
      secrets: [apiKey, ...Vendor.headerSecrets(headers)],
      fault: Vendor.serverFault(options),
      providerOptions: (request) => providerOptions(options, request),
      finishPrompt: withoutUnsealed,
      itemOf: reasoningItem,
      // OpenAI documents it; other servers that speak this protocol may take texts only.
      takesFilesInResults: baseUrl === undefined,
      takesOutput: baseUrl === undefined,
      outputSchema: OutputSchema.forOpenAi,
      // The answer is incomplete, whichever limit it reached.
      finishReason: ({ unified }) => (unified === "other" ? "length" : unified),
      leastOutputTokens: 16,
      strictTools: false
    })
  )
}

/**
 * The models of an agent whose sessions name no model or one of this provider. The key defaults to OPENAI_API_KEY.
 */
export const models = (
  options: Omit<Options, "apiKey"> & { readonly apiKey?: Redacted.Redacted }
): Effect.Effect<Models, ConfigError.ConfigError> => {
  const { apiKey, contextTokens: _, ...rest } = options
  return ProviderModels.withKey("OPENAI_API_KEY", apiKey, (apiKey, model) =>
    make(model === undefined ? { ...options, apiKey } : { ...rest, apiKey, model })
  )
}

const providerOptions = (
  { model, reasoningSummary }: Options,
  { reasoningEffort }: ModelRef.Options
): SharedV3ProviderOptions => ({
  openai: {
    store: false,
    ...(reasoningEffort === undefined ? {} : { reasoningEffort: Gpt.effort(model, reasoningEffort) }),
    ...(reasoningSummary === undefined ? {} : { reasoningSummary })
  }
})

type Reasoning = Extract<AssistantPart, { readonly type: "reasoning" }>
type AssistantPart = Extract<LanguageModelV3Message, { readonly role: "assistant" }>["content"][number]

/** The SDK makes a reasoning of each summary of an item, with the id `ITEM:NUMBER`. */
const reasoningItem = (id: string): string => id.slice(0, id.lastIndexOf(":"))

const property = (part: Reasoning, key: string): unknown => part.providerOptions?.openai?.[key]

/** Drops reasoning items without encrypted content. The part after such an item is then sent without its item id. */
const withoutUnsealed = (prompt: LanguageModelV3Prompt): LanguageModelV3Prompt =>
  prompt.map((message) => {
    if (message.role !== "assistant") return message
    const sealed = new Set(
      message.content.flatMap((part) =>
        part.type === "reasoning" && Predicate.isString(property(part, "reasoningEncryptedContent"))
          ? [property(part, "itemId")]
          : []
      )
    )
    return {
      ...message,
      content: message.content.filter((part) => part.type !== "reasoning" || sealed.has(property(part, "itemId")))
    }
  })
