import { Effect } from "effect"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

export const run = Effect.fn("mcp.remove")(function* (given: ValuesOf<typeof McpCommands.remove>) {
  const named = given.argument(0) ?? ""
  const screen = yield* Screen
  const configuration = yield* McpServers.configuration
  const { path } = configuration
  // A server may be unusable because of its name.
  const name = McpServers.has(configuration, named) ? named : yield* McpServers.name(named)
  if (!McpServers.has(configuration, name)) return yield* new WrongUsage({ detail: Texts.unknown(name) })
  yield* McpServers.store(path, { [name]: null })
  yield* screen.write(`${Texts.removed(TerminalText.line(name), path)}\n`)
})
