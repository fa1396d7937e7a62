/**
 * Any server that speaks OpenAI's chat completions: local servers, gateways, other vendors. The package is loaded with
 * the first step.
 */
import type {
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3Usage,
  SharedV3ProviderOptions
} from "@ai-sdk/provider"
import { Effect, Predicate, Redacted } from "effect"
import type { ProviderMetadata } from "../../domain/Message.js"
import type * as ModelRef from "../../domain/ModelRef.js"
import type { Model, Models } from "../../services/Model.js"
import * as CallAccount from "./CallAccount.js"
import * as Gpt from "./Gpt.js"
import * as OutputSchema from "./OutputSchema.js"
import * as ProviderModels from "./ProviderModels.js"
import type { ServerSettings } from "./Settings.js"
import * as Step from "./Step.js"
import * as Vendor from "./Vendor.js"

/** A model behind chat completions, and how its server is reached. */
export interface Options extends ServerSettings {
  /** The provider's name in Skein. */
  readonly name: string
  /** URL of the API with its version; `/chat/completions` is appended. */
  readonly baseUrl: string
  /** Sent as a bearer token. */
  readonly apiKey?: Redacted.Redacted
  /**
   * Whether the server holds models to a JSON Schema (`response_format`). Otherwise, they are asked. Defaults to false.
   */
  readonly takesOutput?: boolean
  /** The model's name at the server. */
  readonly model: string
}

/** One model of a server that speaks chat completions. */
export const make = (options: Options): Model => {
  const { apiKey, baseUrl, headers, model, name: provider, takesOutput = false } = options
  return Step.model(
    Vendor.make({ provider, model }, options, {
      load: async (fetch) => {
        const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible")
        return createOpenAICompatible({
          name: vendor,
          baseURL: baseUrl,
          headers: Vendor.plainHeaders(headers),
          includeUsage: true,
          supportsStructuredOutputs: true,
          convertUsage: usage,
          fetch,
          ...(apiKey === undefined ? {} : { apiKey: Redacted.value(apiKey) })
        })(model)
      },
      secrets: [...(apiKey === undefined ? [] : [apiKey]), ...Vendor.headerSecrets(headers)],
      fault: Vendor.serverFault(options),
      providerOptions: (request) => providerOptions(model, request),
      partOptions,
      finishPrompt: alternating,
      takesOutput,
      outputSchema: OutputSchema.forOpenAi,
      account: CallAccount.start()
    })
  )
}

/** The models of an agent whose sessions name no model or one of this provider. */
export const models = (options: Options): Effect.Effect<Models> => {
  const { contextTokens: _, ...rest } = options
  return Effect.succeed(ProviderModels.make(make(options), (model) => Effect.sync(() => make({ ...rest, model }))))
}

/** The SDK's name for all of these servers, whatever their name in Skein. */
const vendor = "openaiCompatible"

/** The efforts that servers know in general. They refuse a request with another one. */
const efforts = ["none", "minimal", "low", "medium", "high"] as const

/** A gateway's names of models begin with their vendor. */
const providerOptions = (model: string, { reasoningEffort }: ModelRef.Options): SharedV3ProviderOptions =>
  reasoningEffort === undefined
    ? {}
    : { [vendor]: { reasoningEffort: Gpt.effort(model.replace(/^.*\//u, ""), reasoningEffort, efforts) } }

/** Gemini signs its calls. The SDK reads the signature under one name and sends it under another. */
const partOptions = (metadata: ProviderMetadata): SharedV3ProviderOptions => {
  const ours = metadata[vendor]
  return Predicate.hasProperty(ours, "thoughtSignature") && Predicate.isString(ours.thoughtSignature)
    ? { google: { thoughtSignature: ours.thoughtSignature } }
    : {}
}

/**
 * Joins user messages that follow each other, as after a step that failed: many models' chat templates refuse a request
 * whose roles do not alternate.
 */
const alternating = (prompt: LanguageModelV3Prompt): LanguageModelV3Prompt => {
  const joined: Array<LanguageModelV3Message> = []
  for (const message of prompt) {
    const before = joined.at(-1)
    if (message.role === "user" && before?.role === "user") {
      joined.splice(-1, 1, { ...before, content: joinedContent(before.content, message.content) })
    } else joined.push(message)
  }
  return joined
}

type UserContent = Extract<LanguageModelV3Message, { readonly role: "user" }>["content"]

/** Texts stay one text, because some servers take a user's message only as a text and not in parts. */
const joinedContent = (before: UserContent, after: UserContent): UserContent => {
  const [last, first] = [before.at(-1), after[0]]
  return last?.type === "text" && first?.type === "text"
    ? [...before.slice(0, -1), { ...last, text: `${last.text}\n\n${first.text}` }, ...after.slice(1)]
    : [...before, ...after]
}

interface ReportedUsage {
  readonly prompt_tokens?: number | null | undefined
  readonly completion_tokens?: number | null | undefined
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null | undefined } | null | undefined
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number | null | undefined } | null | undefined
}

/** The SDK itself would turn counts that were not reported into zeros. */
const usage = (reported: ReportedUsage | null | undefined): LanguageModelV3Usage => {
  const total = reported?.prompt_tokens ?? undefined
  const written = reported?.completion_tokens ?? undefined
  const reasoning = reported?.completion_tokens_details?.reasoning_tokens ?? undefined
  const cacheRead = reported?.prompt_tokens_details?.cached_tokens ?? undefined
  return {
    inputTokens: { total, noCache: undefined, cacheRead, cacheWrite: undefined },
    outputTokens: { total: written, text: undefined, reasoning }
  }
}
