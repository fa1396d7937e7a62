import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import * as SessionFolder from "../../SessionFolder.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.move")(function* (given: ValuesOf<typeof Commands.move>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const folder = yield* SessionFolder.existing(given.argument(1) ?? "")
  const screen = yield* Screen
  const { id } = yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    return yield* gateway.patch({ sessionId: yield* SessionLookup.find(named), workdir: folder })
  }).pipe(Effect.provide(Engine.layerForStored(given)))
  yield* screen.write(`${Texts.moved(id, TerminalText.line(folder))}\n`)
})
