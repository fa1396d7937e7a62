/** `skein sessions rename`. */
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"

export const rename = Command.make(
  "rename",
  { session: Arguments.session, title: Args.text({ name: "title" }), data: Arguments.data },
  Effect.fn("sessions.rename")(function* ({ data, session, title }) {
    const sessionId = yield* Arguments.sessionId(session)
    const screen = yield* Screen
    const renamed = yield* Effect.flatMap(Gateway, (gateway) => gateway.rename(sessionId, title)).pipe(
      Effect.provide(Engine.layerWithoutRuns(data))
    )
    yield* screen.write(`${renamed.id} is now ${JSON.stringify(TerminalText.line(renamed.title))}\n`)
  })
).pipe(Command.withDescription("Give a session another title"))
