/**
 * All providers by name: the built-in `anthropic/…` and `openai/…`, `script/FILE.json`, and those of a configuration.
 * Models are resolved at each step, so a new model of the session or a new key takes effect at the next step.
 *
 * Guaranteed: a key is sent only to its own provider. A provider with its own `baseUrl` gets the key that its entry names
 * and no other. Keys never appear in a configuration, an error or a log.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { PlatformError } from "@effect/platform/Error"
import { Config, ConfigProvider, Duration, Effect, Record, Redacted, Schema } from "effect"
import type { ParseResult } from "effect"
import * as Issues from "../../domain/Issues.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { OfferedModel } from "../../domain/Offer.js"
import { Prices } from "../../domain/Prices.js"
import * as Script from "../../domain/Script.js"
import type { Session } from "../../domain/Session.js"
import { ModelUnavailable } from "../../domain/SkeinError.js"
import type { Model, Models } from "../../services/Model.js"
import * as ScriptedModel from "../../services/ScriptedModel.js"
import * as Anthropic from "./Anthropic.js"
import * as ChatCompletions from "./ChatCompletions.js"
import * as OpenAi from "./OpenAi.js"
import { refused } from "./ProviderModels.js"
import type { ServerSettings } from "./Settings.js"
import { baseUrlForm, headerFault, isBaseUrl } from "./Vendor.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** Names the variable that holds a secret. */
const Secret = Schema.Struct({ env: Schema.NonEmptyString })

const BaseUrl = Schema.String.pipe(Schema.filter(isBaseUrl, { message: () => baseUrlForm }))

const settings = {
  apiKey: optional(Secret),
  /** Sent with each request. */
  headers: optional(Schema.Record({ key: Schema.NonEmptyString, value: Schema.Union(Schema.String, Secret) })),
  contextTokens: optional(Schema.Int.pipe(Schema.positive())),
  maxOutputTokens: optional(Schema.Int.pipe(Schema.positive())),
  idleTimeoutMillis: optional(Schema.Int.pipe(Schema.positive()))
}

/** One provider. `baseUrl` includes the API's version, such as `http://127.0.0.1:11434/v1`. */
const ProviderConfig = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("chat-completions"), baseUrl: BaseUrl, ...settings }),
  Schema.Struct({ kind: Schema.Literal("anthropic", "openai"), baseUrl: optional(BaseUrl), ...settings })
).annotations({ parseOptions: { onExcessProperty: "error" } })
type ProviderConfig = typeof ProviderConfig.Type

const ProviderName = Schema.String.pipe(
  Schema.pattern(/^(?!script$)[A-Za-z0-9][A-Za-z0-9_-]*$/u, {
    message: () => "a provider's name has letters, digits, - and _, begins with a letter or digit and is not script"
  })
)

const modelForm = "expected PROVIDER/MODEL"

/** The name of a model. */
export const ModelName = Schema.String.pipe(
  Schema.filter((text) => ModelRef.fromText(text) !== null, { message: () => modelForm })
)

/** Models by `PROVIDER/MODEL`: for people to choose from, and what they cost. */
const ModelsConfig = Schema.Record({
  key: Schema.String,
  value: Schema.Struct({ prices: optional(Prices) }).annotations({ parseOptions: { onExcessProperty: "error" } })
}).pipe(
  Schema.filter((models) =>
    Object.keys(models)
      .filter((name) => ModelRef.fromText(name) === null)
      .map((name) => ({ path: [name], message: modelForm }))
  )
)

/** Providers by name. An entry named `anthropic` or `openai` replaces the built-in one. */
export const ProvidersConfig = Schema.Struct({
  providers: Schema.Record({ key: ProviderName, value: ProviderConfig }),
  models: optional(ModelsConfig)
}).annotations({ identifier: "ProvidersConfig", parseOptions: { onExcessProperty: "error" } })
export type ProvidersConfig = typeof ProvidersConfig.Type

/** The models that are listed, the standard one first. */
const offered = ({ models = {} }: ProvidersConfig, standard: ModelRef.ModelRef | undefined) => {
  const first = standard === undefined ? [] : [ModelRef.toText(standard)]
  return [...new Set([...first, ...Object.keys(models)])].flatMap((name): ReadonlyArray<OfferedModel> => {
    const ref = ModelRef.fromText(name)
    if (ref === null) return []
    const { model, provider } = ref
    return [{ provider, model, standard: name === first[0], prices: models[name]?.prices ?? null }]
  })
}

/** Serves each session with the model that it names, or with `standard` if it names none. */
export const models = (
  config: ProvidersConfig,
  options: { readonly standard?: ModelRef.ModelRef } = {}
): Effect.Effect<Models, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const variables = yield* Effect.configProviderWith(Effect.succeed)
    return {
      offered: offered(config, options.standard),
      resolve: (session: Session) => {
        const ref = session.model ?? options.standard
        if (ref === undefined)
          return Effect.fail(new ModelUnavailable({ model: "(none)", detail: "no model was named" }))
        return ref.provider === "script"
          ? script(fileSystem, path.resolve(session.workdir ?? "", ref.model), ref)
          : provider(config, variables, ref)
      }
    }
  })

const builtIn: Readonly<Record<string, ProviderConfig>> = {
  anthropic: { kind: "anthropic" },
  openai: { kind: "openai" }
}

const keyVariables = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" }

const provider = Effect.fn("Providers.resolve")(function* (
  { providers }: ProvidersConfig,
  variables: ConfigProvider.ConfigProvider,
  ref: ModelRef.ModelRef
) {
  const known = { ...builtIn, ...providers }
  const entry = yield* Record.get(known, ref.provider).pipe(
    Effect.mapError(() => refused(ref, `unknown provider; known are ${[...Object.keys(known), "script"].join(", ")}`))
  )
  const secret = (variable: string) =>
    variables.load(Config.redacted(Config.nonEmptyString(variable))).pipe(
      Effect.mapError(() => refused(ref, `set ${variable} to its key`)),
      Effect.filterOrFail(
        (value) => headerFault(value) === null,
        (value) => refused(ref, `${variable} cannot be sent: ${headerFault(value)}`)
      )
    )
  const headers = yield* Effect.forEach(Record.toEntries(entry.headers ?? {}), ([name, value]) =>
    Effect.map(
      typeof value === "string" ? Effect.succeed(Redacted.make(value)) : secret(value.env),
      (value) => [name, value] as const
    )
  )
  const variable = variableOf(entry)
  const apiKey = variable === null ? null : yield* secret(variable)
  return model(ref, entry, apiKey, { ...settingsOf(entry), headers: Object.fromEntries(headers) })
})

const variableOf = (entry: ProviderConfig): string | null => {
  if (entry.apiKey !== undefined) return entry.apiKey.env
  return entry.kind === "chat-completions" || entry.baseUrl !== undefined ? null : keyVariables[entry.kind]
}

const settingsOf = ({
  baseUrl,
  contextTokens,
  idleTimeoutMillis,
  maxOutputTokens
}: ProviderConfig): ServerSettings => ({
  ...(baseUrl === undefined ? {} : { baseUrl }),
  ...(contextTokens === undefined ? {} : { contextTokens }),
  ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  ...(idleTimeoutMillis === undefined ? {} : { idleTimeout: Duration.millis(idleTimeoutMillis) })
})

const model = (
  { model, provider }: ModelRef.ModelRef,
  entry: ProviderConfig,
  key: Redacted.Redacted | null,
  settings: ServerSettings
): Model => {
  const apiKey = key ?? Redacted.make("")
  switch (entry.kind) {
    case "anthropic":
      return Anthropic.make({ ...settings, provider, model, apiKey })
    case "openai":
      return OpenAi.make({ ...settings, provider, model, apiKey })
    case "chat-completions":
      return ChatCompletions.make({ ...settings, name: provider, baseUrl: entry.baseUrl, model, apiKey })
  }
}

const script = (
  fileSystem: FileSystem.FileSystem,
  file: string,
  ref: ModelRef.ModelRef
): Effect.Effect<Model, ModelUnavailable> =>
  fileSystem.readFileString(file).pipe(
    Effect.mapError((error) => refused(ref, `${file} cannot be read (${reasonOf(error)})`)),
    Effect.flatMap((text) =>
      Effect.mapError(Script.fromJson(text), (error) => refused(ref, `${file} is not a script: ${issuesOf(error)}`))
    ),
    Effect.map((script) => ScriptedModel.make(script, ref.model))
  )

const reasonOf = (error: PlatformError): string => (error._tag === "SystemError" ? error.reason : error._tag)

const issuesOf = (error: ParseResult.ParseError): string => Issues.format(error).replaceAll("\n", "; ").slice(0, 300)
