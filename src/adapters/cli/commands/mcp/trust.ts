import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect, Record, Schema } from "effect"
import * as BoundedJson from "../../../../domain/BoundedJson.js"
import { codeOf } from "../../../ErrorCode.js"
import { Servers } from "../../../mcp/Settings.js"
import type { ValuesOf } from "../../CommandLine.js"
import { isYes } from "../../Confirmation.js"
import { WrongUsage } from "../../Failure.js"
import * as McpServers from "../../McpServers.js"
import * as ServerEntries from "../../ServerEntries.js"
import * as SessionFolder from "../../SessionFolder.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

const decode = Schema.decodeUnknown(Schema.Struct({ mcpServers: ServerEntries.Entries }))
const encode = Schema.encodeSync(Servers)

/** The servers in the folder's file as it is now: later changes count only when it is trusted again. */
const read = Effect.fnUntraced(function* (folder: string) {
  const file = (yield* Path.Path).join(folder, Texts.fileName)
  const unusable = (why: string) => new WrongUsage({ detail: Texts.noFile(TerminalText.line(file), why) })
  const fileSystem = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(fileSystem.readFileString(file), (error) => unusable(codeOf(error)))
  const { mcpServers } = yield* BoundedJson.parse(text).pipe(
    Effect.flatMap(decode),
    Effect.mapError(() => unusable(Texts.notServers))
  )
  const { unusable: left, usable } = ServerEntries.read(text, mcpServers, "ignore")
  if (Record.isEmptyReadonlyRecord(usable)) return yield* unusable(Texts.notServers)
  return { left, servers: Record.map(usable, (settings) => ({ ...settings, reads: [], folder })) }
})

export const run = Effect.fn("mcp.trust")(function* (given: ValuesOf<typeof McpCommands.trust>) {
  const folder = yield* SessionFolder.existing(given.argument(0) ?? ".")
  const screen = yield* Screen
  const { left, servers } = yield* read(folder)
  const configuration = yield* McpServers.configuration
  const { mcpServers, path } = configuration
  for (const name of Object.keys(servers)) {
    const known = mcpServers[name]
    if (McpServers.has(configuration, name) && known?.folder !== folder)
      return yield* new WrongUsage({ detail: Texts.exists(name) })
  }
  const shown = Object.entries(servers).map(([name, settings]) => McpServers.render(name, settings, screen.ansi))
  yield* screen.write([...shown, ...left.map((server) => McpServers.renderUnusable(server, screen.ansi))].join(""))
  if (!given.has("yes")) {
    if (!screen.canAsk) return yield* new WrongUsage({ detail: Texts.untrusted })
    if (!(yield* screen.ask({ subject: null, prompt: Texts.trust }, isYes))) {
      return yield* screen.write(`${Texts.notTrusted}\n`)
    }
  }
  yield* McpServers.store(path, encode(servers))
  yield* screen.write(`${Texts.added(Object.keys(servers).join(", "), path)}\n`)
})
