/** `skein sessions model`. */
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import * as ModelRef from "../../../../domain/ModelRef.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"

export const model = Command.make(
  "model",
  {
    session: Arguments.session,
    model: Args.text({ name: "model" }).pipe(Args.withDescription("PROVIDER/MODEL")),
    data: Arguments.data
  },
  Effect.fn("sessions.model")(function* ({ data, model, session }) {
    const sessionId = yield* Arguments.sessionId(session)
    const ref = yield* Arguments.model("model", model)
    const screen = yield* Screen
    yield* Effect.flatMap(Gateway, (gateway) => gateway.setModel(sessionId, ref)).pipe(
      Effect.provide(Engine.layerWithoutRuns(data))
    )
    yield* screen.write(`${sessionId} is now answered by ${TerminalText.line(ModelRef.toText(ref))}\n`)
  })
).pipe(Command.withDescription("Have a session answered by another model from its next step on"))
