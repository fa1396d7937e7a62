/**
 * Any model of the Vercel AI SDK as a `Model`: anything that implements `LanguageModelV3`, called through `doStream`.
 *
 * Its key is not known here. Pass it in `secrets`, so that it is redacted if the server quotes it.
 */
import type { LanguageModelV3, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { Effect } from "effect"
import type { Redacted } from "effect"
import type * as ModelRef from "../../domain/ModelRef.js"
import type { Model, Models } from "../../services/Model.js"
import * as ProviderModels from "./ProviderModels.js"
import type { Settings } from "./Settings.js"
import * as Step from "./Step.js"
import * as Vendor from "./Vendor.js"

/** How a model of the AI SDK is used. */
export interface Options extends Settings {
  /** The vendor's name in Skein. Defaults to the model's own, up to its first dot. */
  readonly provider?: string
  /** Values that no error may quote. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted>
  /** Whether the model sees files in results of tools: not all packages of the AI SDK send them. Defaults to false. */
  readonly takesFilesInResults?: boolean
  /**
   * Whether the model is held to an answer's JSON Schema (`responseFormat`). Otherwise it is asked. Defaults to false.
   */
  readonly takesOutput?: boolean
  /** Translates a session's options, such as its reasoning effort, into the vendor's. Defaults to none. */
  readonly providerOptions?: (options: ModelRef.Options) => SharedV3ProviderOptions
}

/** The same, and how other models of the provider are made. */
export interface ModelsOptions extends Options {
  /** Returns another model of the same provider, by name. Without it a session can name this model only. */
  readonly others?: (model: string) => LanguageModelV3
}

/** Wraps a model of the AI SDK. */
export const make = (languageModel: LanguageModelV3, options: Options = {}): Model => {
  const { providerOptions, secrets, takesFilesInResults, takesOutput } = options
  const provider = options.provider ?? languageModel.provider.replace(/\..*$/u, "")
  return Step.model(
    Vendor.make({ provider, model: languageModel.modelId }, options, {
      load: () => Promise.resolve(languageModel),
      ...(secrets === undefined ? {} : { secrets }),
      ...(takesFilesInResults === undefined ? {} : { takesFilesInResults }),
      ...(takesOutput === undefined ? {} : { takesOutput }),
      ...(providerOptions === undefined ? {} : { providerOptions })
    })
  )
}

/** The models of an agent whose sessions name no model or one of this provider. */
export const models = (languageModel: LanguageModelV3, options: ModelsOptions = {}): Effect.Effect<Models> => {
  const standard = make(languageModel, options)
  const { contextTokens: _, others, ...rest } = options
  return Effect.succeed(
    ProviderModels.make(standard, (model) =>
      others === undefined
        ? Effect.fail(
            ProviderModels.refused({ provider: standard.provider, model }, `only ${standard.model} is configured here`)
          )
        : Effect.sync(() => make(others(model), { ...rest, provider: standard.provider }))
    )
  )
}
