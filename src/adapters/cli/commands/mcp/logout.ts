import { Effect } from "effect"
import * as Logins from "../../../mcp/Logins.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

export const run = Effect.fn("mcp.logout")(function* (given: ValuesOf<typeof McpCommands.logout>) {
  const name = yield* McpServers.name(given.argument(0) ?? "")
  const screen = yield* Screen
  const folder = yield* McpServers.logins
  const wasThere = yield* Effect.promise(() => Logins.remove(folder, name))
  yield* screen.write(`${wasThere ? Texts.loggedOut(name) : Texts.notLoggedIn(name)}\n`)
})
