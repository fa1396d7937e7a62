import { Effect } from "effect"
import * as ModelRef from "../../../../domain/ModelRef.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import type { GivenTo } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.model")(function* (given: GivenTo<typeof Commands.model>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const ref = yield* Arguments.model("model", given.argument(1) ?? "")
  const screen = yield* Screen
  const { id } = yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    return yield* gateway.setModel(yield* SessionLookup.find(named), ref)
  }).pipe(Effect.provide(Engine.layerWithoutRuns(given.value("data"))))
  yield* screen.write(`${Texts.switched(id, TerminalText.line(ModelRef.toText(ref)))}\n`)
})
