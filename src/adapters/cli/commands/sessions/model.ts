import { Effect } from "effect"
import * as ModelRef from "../../../../domain/ModelRef.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as DataFolder from "../../../node/DataFolder.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Configuration from "../../Configuration.js"
import * as Engine from "../../Engine.js"
import * as ModelChoice from "../../ModelChoice.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.model")(function* (given: ValuesOf<typeof Commands.model>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const ref = yield* ModelChoice.named("model", given.argument(1) ?? "")
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  const screen = yield* Screen
  const { id } = yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const session = yield* gateway.session(yield* SessionLookup.find(named))
    yield* ModelChoice.check(configuration, { ...session, model: ref })
    return yield* gateway.patch({ sessionId: session.id, model: ref })
  }).pipe(Effect.provide(Engine.layerForStored(given)))
  yield* screen.write(`${Texts.switched(id, TerminalText.line(ModelRef.toText(ref)))}\n`)
})
