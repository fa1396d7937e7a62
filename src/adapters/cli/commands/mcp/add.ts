import { Effect } from "effect"
import type { ServerSettings } from "../../../mcp/Settings.js"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

const settingsOf = ([command = "", ...args]: ReadonlyArray<string>): typeof ServerSettings.Encoded =>
  /^https?:\/\//i.test(command) && URL.canParse(command) && args.length === 0 ? { url: command } : { command, args }

export const run = Effect.fn("mcp.add")(function* (given: ValuesOf<typeof McpCommands.add>) {
  const [first = "", ...rest] = given.arguments
  const name = yield* McpServers.name(first)
  const screen = yield* Screen
  const configuration = yield* McpServers.configuration
  const { path } = configuration
  if (McpServers.has(configuration, name)) return yield* new WrongUsage({ detail: Texts.exists(name) })
  yield* McpServers.store(path, { [name]: settingsOf(rest) })
  yield* screen.write(`${Texts.added(name, path)}\n`)
})
