import { Effect } from "effect"
import type { SessionId } from "../../../../domain/Session.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.rename")(function* (given: ValuesOf<typeof Commands.rename>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const screen = yield* Screen
  const { id, title } = yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const renamed = (id: SessionId) => gateway.patch({ sessionId: id, title: given.argument(1) ?? "" })
    // The title is checked first, whichever session is meant.
    return yield* Effect.catchTag(renamed(named), "SessionNotFound", () =>
      Effect.flatMap(SessionLookup.find(named), renamed)
    )
  }).pipe(Effect.provide(Engine.layerForStored(given)))
  yield* screen.write(`${Texts.renamed(id, TerminalText.line(title))}\n`)
})
