import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import type { GivenTo } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.rename")(function* (given: GivenTo<typeof Commands.rename>) {
  const sessionId = yield* Arguments.sessionId(given.argument(0) ?? "")
  const screen = yield* Screen
  const { title } = yield* Effect.flatMap(Gateway, (gateway) =>
    gateway.rename(sessionId, given.argument(1) ?? "")
  ).pipe(Effect.provide(Engine.layerWithoutRuns(given.value("data"))))
  yield* screen.write(`${Texts.renamed(sessionId, TerminalText.line(title))}\n`)
})
