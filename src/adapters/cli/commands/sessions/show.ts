import { Effect, Ref, Stream } from "effect"
import type { Entry } from "../../../../domain/Message.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as TranscriptText from "../../TranscriptText.js"

/** An entry is its own JSON. It is not checked again: a later version may have stored what this one refuses. */
const toJson = (entry: Entry): string => JSON.stringify(entry)

export const run = Effect.fn("sessions.show")(function* (given: ValuesOf<typeof Commands.show>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const screen = yield* Screen
  const isJson = given.has("json")
  const render = isJson
    ? (entry: Entry) => `${TerminalText.json(toJson(entry))}\n`
    : (entry: Entry) => TranscriptText.entry(screen.ansi, entry)
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessionId = yield* SessionLookup.find(named)
    const snapshot = yield* gateway.snapshot(sessionId)
    if (!isJson) yield* screen.write(TranscriptText.heading(screen.ansi, snapshot.session))
    const last = yield* Ref.make(0)
    yield* Stream.runForEach(gateway.transcript({ sessionId }), (entry) =>
      Effect.zipRight(Ref.set(last, entry.seq), screen.write(render(entry)))
    )
    // The transcript is read after the snapshot, so it may already hold what was only stored then.
    const head = yield* Ref.get(last)
    for (const entry of snapshot.batch.stored) {
      if (entry.seq > head) yield* screen.write(render(entry))
    }
    if (!isJson) yield* screen.write(TranscriptText.ending(screen.ansi, snapshot))
  }).pipe(Effect.provide(Engine.layerForReading(given)))
})
