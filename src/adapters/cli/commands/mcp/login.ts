import { Effect } from "effect"
import * as Login from "../../../mcp/Login.js"
import * as Browser from "../../Browser.js"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

export const run = Effect.fn("mcp.login")(function* (given: ValuesOf<typeof McpCommands.login>) {
  const name = yield* McpServers.name(given.argument(0) ?? "")
  const screen = yield* Screen
  const settings = yield* McpServers.settingsOf(yield* McpServers.configuration, name)
  if (!("url" in settings)) return yield* new WrongUsage({ detail: Texts.noLogin(name) })
  yield* Login.run(yield* McpServers.logins, name, settings.url, (link) =>
    Effect.gen(function* () {
      yield* screen.writeError(`${Texts.openLink}\n${TerminalText.line(link)}\n`)
      if (screen.canAsk) yield* Browser.open(link)
    })
  )
  yield* screen.write(`${Texts.loggedIn(name)}\n`)
})
