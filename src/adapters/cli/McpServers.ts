/** The MCP servers of the user's configuration file, as commands show and change them. The rest of the file stays. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect, Predicate, Record as Rec, Schema } from "effect"
import { join } from "node:path"
import { InvalidInput } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import { ServerName } from "../mcp/Settings.js"
import type { ServerSettings } from "../mcp/Settings.js"
import * as DataFolder from "../node/DataFolder.js"
import * as Configuration from "./Configuration.js"
import { ConfigurationUnusable, WrongUsage } from "./Failure.js"
import type * as ServerEntries from "./ServerEntries.js"
import * as ShellText from "./ShellText.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as FailureTexts from "./texts/Failures.js"
import * as Texts from "./texts/Mcp.js"

/** The configuration, checked. */
export const configuration = Effect.flatMap(DataFolder.host, Configuration.load)

/** The folder with the logins at servers: `mcp` in the user's own data folder. */
export const logins = Effect.flatMap(DataFolder.host, (host) =>
  Effect.map(DataFolder.data(host), (data) => join(data, "mcp"))
)

/** Whether the user has any servers. */
export const hasAny = ({ mcpServers }: Configuration.Configuration): boolean => Object.keys(mcpServers).length > 0

/** Opens the user's servers, to ask them what they offer. They end with the scope. */
export const open = Effect.fnUntraced(function* ({ mcpServers }: Configuration.Configuration) {
  const Mcp = yield* Effect.promise(() => import("../mcp/Mcp.js"))
  return yield* Mcp.make(mcpServers, { logins: yield* logins })
})

/** Its settings. Fails for a server that is not there, or cannot be used. */
export const settingsOf = (
  { mcpServers, unusableServers }: Configuration.Configuration,
  name: string
): Effect.Effect<ServerSettings, WrongUsage> => {
  const settings = mcpServers[name]
  if (settings !== undefined) return Effect.succeed(settings)
  const unusable = unusableServers.find((server) => server.name === name)
  return new WrongUsage({
    detail: unusable === undefined ? Texts.unknown(name) : `${name}: ${Texts.unusable(unusable.issues)}`
  })
}

/** Whether the file has a server of this name, even one that cannot be used. */
export const has = ({ mcpServers, unusableServers }: Configuration.Configuration, name: string): boolean =>
  mcpServers[name] !== undefined || unusableServers.some((server) => server.name === name)

export const name = (text: string): Effect.Effect<string, InvalidInput> =>
  Schema.is(ServerName)(text)
    ? Effect.succeed(text)
    : new InvalidInput({ field: "NAME", limit: Texts.serverForm, actual: TerminalText.short(text, 80) })

const reach = (settings: ServerSettings): string =>
  "url" in settings
    ? settings.url.replace(/[?#].*$/, "")
    : [settings.command, ...settings.args].map(ShellText.word).join(" ")

/** How a server is reached, without anything that may be secret, and where it applies. */
export const render = (name: string, settings: ServerSettings, ansi: Ansi): string => {
  const { folder } = settings
  const where = folder === undefined ? "" : ansi.dim(`  ${Texts.inFolder(TerminalText.line(folder))}\n`)
  return `${ansi.bold(name)}\n  ${TerminalText.line(reach(settings))}\n${where}`
}

/** A server that cannot be used, and what is wrong with it. */
export const renderUnusable = ({ issues, name }: ServerEntries.Unusable, ansi: Ansi): string =>
  `${ansi.bold(TerminalText.line(name))}\n  ${Texts.unusable(issues)}\n`

const File = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }), { space: 2 })
const read = Schema.decodeUnknown(File)
const write = Schema.encode(File)

/** Stores servers under their names; null removes one. The file is replaced whole; only its owner can use a new one. */
export const store = Effect.fn("McpServers.store")(function* (
  path: string,
  changes: Readonly<Record<string, typeof ServerSettings.Encoded | null>>
) {
  const fileSystem = yield* FileSystem.FileSystem
  const { dirname } = yield* Path.Path
  const unusable = (detail: string) => new ConfigurationUnusable({ path, issues: [{ place: null, detail }] })
  const text = yield* Effect.orElseSucceed(fileSystem.readFileString(path), () => "{}")
  const file = yield* Effect.mapError(read(text), () => unusable(FailureTexts.notJson))
  const before = Predicate.isReadonlyRecord(file["mcpServers"]) ? file["mcpServers"] : {}
  const mcpServers = Rec.filter({ ...before, ...changes }, (server) => server !== null)
  const changed = yield* Effect.orDie(write({ ...file, mcpServers }))
  yield* Effect.gen(function* () {
    yield* fileSystem.makeDirectory(dirname(path), { recursive: true, mode: 0o700 })
    const mode = yield* Effect.match(fileSystem.stat(path), {
      onFailure: () => 0o600,
      onSuccess: ({ mode }) => mode & 0o777
    })
    yield* fileSystem.writeFileString(`${path}.new`, `${changed}\n`, { mode })
    yield* fileSystem.rename(`${path}.new`, path)
  }).pipe(Effect.mapError((error) => unusable(Texts.unwritable(codeOf(error)))))
})
