/**
 * The user's configuration: the providers of the configuration file, and the default model. That is `SKEIN_MODEL`, else
 * the file's `model`, else the model of the vendor whose key is in the environment.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Either, Schema } from "effect"
import * as ModelRef from "../../domain/ModelRef.js"
import { codeOf } from "../ErrorCode.js"
import type { Servers } from "../mcp/Settings.js"
import * as DataFolder from "../node/DataFolder.js"
import { ModelName as ModelText, ProvidersConfig } from "../providers/Providers.js"
import * as ModelName from "./ModelName.js"
import { ConfigurationUnusable, NoModel } from "./Failure.js"
import * as ConfigurationIssues from "./ConfigurationIssues.js"
import * as JsonText from "./JsonText.js"
import * as ServerEntries from "./ServerEntries.js"
import * as Texts from "./texts/Failures.js"

const VariableName = Schema.String.pipe(Schema.pattern(/^[^=\0]+$/)).annotations({
  message: () => "expected a variable's name"
})

/** The configuration file, JSON. */
const ConfigurationFile = Schema.Struct({
  /** `PROVIDER/MODEL`. */
  model: Schema.optionalWith(ModelText, { exact: true }),
  providers: Schema.optionalWith(ProvidersConfig.fields.providers, { default: () => ({}) }),
  /** Models for the page and editors to choose from, by `PROVIDER/MODEL`, and what they cost. */
  models: ProvidersConfig.fields.models,
  shell: Schema.optionalWith(
    Schema.Struct({
      /** Variables that the commands of `shell` get besides the usual ones. */
      inherit: Schema.optionalWith(Schema.Array(VariableName), { default: () => [] })
    }),
    { default: () => ({ inherit: [] }) }
  ),
  /** Servers of the Model Context Protocol, by name. Each is checked by itself. */
  mcpServers: Schema.optionalWith(ServerEntries.Entries, { default: () => ({}) })
}).annotations({ identifier: "Configuration", parseOptions: { onExcessProperty: "error" } })

export interface Configuration {
  /** Where the file is, or would be. */
  readonly path: string
  readonly providers: ProvidersConfig
  /** The model of sessions that name none. */
  readonly standard: ModelRef.ModelRef | null
  /** Variables that the shell's commands get besides the usual ones. */
  readonly inherit: ReadonlyArray<string>
  readonly mcpServers: Servers
  /** Servers of the file that cannot be used, and why. They cost only themselves. */
  readonly unusableServers: ReadonlyArray<ServerEntries.Unusable>
}

const parse = Schema.decodeUnknown(Schema.parseJson())
const decode = Schema.decodeUnknownEither(ConfigurationFile, { errors: "all" })

const readFile = Effect.fn("Configuration.readFile")(function* (path: string, isNamed: boolean) {
  const fileSystem = yield* FileSystem.FileSystem
  const unusable = (detail: string, place: JsonText.Place | null = null) =>
    new ConfigurationUnusable({ path, issues: [{ place, detail }] })
  const text = yield* fileSystem.readFileString(path).pipe(
    Effect.catchTag("SystemError", (error) =>
      error.reason === "NotFound" && !isNamed ? Effect.succeed("{}") : unusable(Texts.unreadable(codeOf(error)))
    ),
    Effect.catchTag("BadArgument", () => unusable(Texts.unreadable("invalid path")))
  )
  const value = yield* Effect.mapError(parse(text), () => unusable(Texts.notJson, JsonText.placeOfError(text)))
  const file = yield* Either.mapLeft(
    decode(value),
    (error) => new ConfigurationUnusable({ path, issues: ConfigurationIssues.inFile(text, error) })
  )
  const servers = ServerEntries.read(text, file.mcpServers, "error")
  return {
    ...file,
    model: file.model === undefined ? null : ModelRef.fromText(file.model),
    mcpServers: servers.usable,
    unusableServers: servers.unusable
  }
})

/** The default model of each vendor. */
const byKey = [
  { variable: "ANTHROPIC_API_KEY", model: "anthropic/claude-sonnet-4-5" },
  { variable: "OPENAI_API_KEY", model: "openai/gpt-5" }
]

const standardOf = Effect.fn("Configuration.standardOf")(function* (
  { env }: DataFolder.Host,
  model: ModelRef.ModelRef | null
) {
  if (env["SKEIN_MODEL"]) return yield* ModelName.parse("SKEIN_MODEL", env["SKEIN_MODEL"])
  if (model !== null) return model
  const vendor = byKey.find(({ variable }) => env[variable])
  return vendor === undefined ? null : ModelRef.fromText(vendor.model)
})

/** Reads the configuration of a host. An empty variable counts as absent. */
export const load = Effect.fn("Configuration.load")(function* (host: DataFolder.Host) {
  const path = yield* DataFolder.config(host)
  const file = yield* readFile(path, Boolean(host.env["SKEIN_CONFIG"]))
  const standard = yield* standardOf(host, file.model)
  return {
    path,
    providers: { providers: file.providers, ...(file.models === undefined ? {} : { models: file.models }) },
    standard,
    inherit: file.shell.inherit,
    mcpServers: file.mcpServers,
    unusableServers: file.unusableServers
  } satisfies Configuration
})

/** The session's own model, else the default one. */
export const modelFor = (
  { path, providers, standard }: Configuration,
  own: ModelRef.ModelRef | null
): Effect.Effect<ModelRef.ModelRef, NoModel> =>
  Effect.mapError(
    Effect.fromNullable(own ?? standard),
    () => new NoModel({ path, providers: Object.keys(providers.providers) })
  )
