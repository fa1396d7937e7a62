import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import { WorkProgress } from "../../../../services/WorkProgress.js"
import type { ValuesOf } from "../../CommandLine.js"
import { isYes } from "../../Confirmation.js"
import * as Engine from "../../Engine.js"
import { WrongUsage } from "../../Failure.js"
import * as SessionLookup from "../../SessionLookup.js"
import * as Progress from "../../terminal/Progress.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.delete")(function* (given: ValuesOf<typeof Commands.remove>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const screen = yield* Screen
  const isConfirmed = given.has("yes")
  if (!isConfirmed && !screen.canAsk) return yield* new WrongUsage({ detail: Texts.deletionUnconfirmed })
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessionId = yield* SessionLookup.find(named)
    const { head, title } = yield* gateway.session(sessionId)
    const asked = { subject: null, prompt: Texts.confirmDeletion(TerminalText.line(title), head) }
    if (!isConfirmed && !(yield* screen.ask(asked, isYes))) {
      return yield* screen.write(`${Texts.notDeleted}\n`)
    }
    yield* Progress.during({ label: Texts.deleting, unit: "rows" }, (report) =>
      Effect.provideService(gateway.delete(sessionId), WorkProgress, (_, done, total) => report(done, total))
    ).pipe(Effect.onInterrupt(() => screen.writeError(`skein: ${Texts.deletionGoesOn}\n`)))
    yield* screen.write(`${Texts.deleted(sessionId)}\n`)
  }).pipe(Effect.provide(Engine.layerForStored(given)))
})
