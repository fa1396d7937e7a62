/**
 * The user's configuration: the providers of the configuration file, and the default model. That is `SKEIN_MODEL`, else
 * the file's `model`, else the model of the vendor whose key is in the environment.
 */
import { FileSystem } from "@effect/platform"
import { Effect, ParseResult, Schema } from "effect"
import * as ModelRef from "../../domain/ModelRef.js"
import { codeOf } from "../ErrorCode.js"
import * as DataFolder from "../node/DataFolder.js"
import { ProvidersConfig } from "../providers/Providers.js"
import * as ModelName from "./ModelName.js"
import { ConfigurationUnusable, NoModel } from "./Failure.js"
import * as JsonText from "./JsonText.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Failures.js"

const VariableName = Schema.String.pipe(Schema.pattern(/^[^=\0]+$/)).annotations({
  message: () => "expected a variable's name"
})

/** The configuration file, JSON. */
const ConfigurationFile = Schema.Struct({
  /** `PROVIDER/MODEL`. */
  model: Schema.optionalWith(Schema.String, { exact: true }),
  providers: Schema.optionalWith(ProvidersConfig.fields.providers, { default: () => ({}) }),
  shell: Schema.optionalWith(
    Schema.Struct({
      /** Variables that the commands of `shell` get besides the usual ones. */
      inherit: Schema.optionalWith(Schema.Array(VariableName), { default: () => [] })
    }),
    { default: () => ({ inherit: [] }) }
  )
}).annotations({ identifier: "Configuration", parseOptions: { onExcessProperty: "error" } })

export interface Configuration {
  /** Where the file is, or would be. */
  readonly path: string
  readonly providers: ProvidersConfig
  /** The model of sessions that name none. */
  readonly standard: ModelRef.ModelRef | null
  /** Variables that the shell's commands get besides the usual ones. */
  readonly inherit: ReadonlyArray<string>
}

const parse = Schema.decodeUnknown(Schema.parseJson())
const decode = Schema.decodeUnknown(ConfigurationFile)

/** What is wrong, in few words and without the value: it may be a key in the wrong place. */
const wordsOf = (message: string): string => {
  const clear = message.replace(/, actual [^]*$/, "")
  if (clear.startsWith("is missing")) return Texts.missingField
  if (clear.startsWith("is unexpected")) return Texts.unknownField
  return /^Expected .*[{(]/.test(clear) ? Texts.expectedObject : clear.replace(/^Expected /, "expected ")
}

/**
 * The first thing that is wrong, and where. Each kind of provider has its own complaint about a wrong one: those of the
 * other kinds are about `kind` alone.
 */
const issueOf = (error: ParseResult.ParseError) => {
  // An optional field may be absent, which is no advice for one that is there.
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error).filter(
    ({ message }) => !message.startsWith("Expected undefined")
  )
  const isOfKind = ({ path }: ParseResult.ArrayFormatterIssue) => path.at(-1) === "kind"
  const issue = issues.find((issue) => !isOfKind(issue)) ?? issues[0]
  if (issue === undefined) return { path: [], detail: Texts.undocumented }
  const kinds = isOfKind(issue)
    ? issues.flatMap(({ message }) => message.match(/(?<=Expected .*)"[\w-]+"(?=.*, actual)/g) ?? [])
    : []
  const words = kinds.length === 0 ? wordsOf(issue.message) : Texts.expectedOneOf([...new Set(kinds)])
  const path = issue.path.map(String).join(".")
  return { path: issue.path, detail: path === "" ? words : `${path}: ${words}` }
}

const readFile = Effect.fn("Configuration.readFile")(function* (path: string, isNamed: boolean) {
  const fileSystem = yield* FileSystem.FileSystem
  const unusable = (detail: string, place: JsonText.Place | null = null) =>
    new ConfigurationUnusable({ path, place, detail: TerminalText.short(detail, 300) })
  const text = yield* fileSystem.readFileString(path).pipe(
    Effect.catchTag("SystemError", (error) =>
      error.reason === "NotFound" && !isNamed ? Effect.succeed("{}") : unusable(Texts.unreadable(codeOf(error)))
    ),
    Effect.catchTag("BadArgument", () => unusable(Texts.unreadable("invalid path")))
  )
  const value = yield* Effect.mapError(parse(text), () => unusable(Texts.notJson, JsonText.placeOfError(text)))
  const file = yield* Effect.mapError(decode(value), (error) => {
    const { detail, path } = issueOf(error)
    return unusable(detail, JsonText.placeOf(text, path))
  })
  if (file.model === undefined) return { ...file, model: null }
  const model = ModelRef.fromText(file.model)
  return model === null ? yield* unusable(Texts.modelForm, JsonText.placeOf(text, ["model"])) : { ...file, model }
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
    providers: { providers: file.providers },
    standard,
    inherit: file.shell.inherit
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
