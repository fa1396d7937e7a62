import { Effect } from "effect"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

export const run = Effect.fn("mcp.remove")(function* (given: ValuesOf<typeof McpCommands.remove>) {
  const name = yield* McpServers.name(given.argument(0) ?? "")
  const screen = yield* Screen
  const { mcpServers, path } = yield* McpServers.configuration
  if (mcpServers[name] === undefined) return yield* new WrongUsage({ detail: Texts.unknown(name) })
  yield* McpServers.store(path, { [name]: null })
  yield* screen.write(`${Texts.removed(name, path)}\n`)
})
