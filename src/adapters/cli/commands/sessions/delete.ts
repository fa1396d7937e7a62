/** `skein sessions delete`. */
import { Command, Options } from "@effect/cli"
import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import * as Engine from "../../Engine.js"
import { WrongUsage } from "../../Failure.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"

export const remove = Command.make(
  "delete",
  {
    session: Arguments.session,
    yes: Options.boolean("yes").pipe(Options.withDescription("Do not ask")),
    data: Arguments.data
  },
  Effect.fn("sessions.delete")(function* ({ data, session, yes }) {
    const sessionId = yield* Arguments.sessionId(session)
    const screen = yield* Screen
    if (!yes && !screen.canAsk) return yield* new WrongUsage({ detail: "nobody can be asked here: delete needs --yes" })
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      const { head, title } = yield* gateway.get(sessionId)
      const question = `Delete ${JSON.stringify(TerminalText.line(title))} with its ${head} messages and all its files? (y/N) `
      if (!yes && !/^y(es)?$/i.test((yield* screen.ask(question))?.trim() ?? "")) {
        return yield* screen.write("Nothing was deleted.\n")
      }
      yield* gateway.delete(sessionId)
      yield* screen.write(`${sessionId} is deleted\n`)
    }).pipe(Effect.provide(Engine.layerWithoutRuns(data)))
  })
).pipe(Command.withDescription("Delete a session with all that belongs to it"))
