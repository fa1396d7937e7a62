/** `skein sessions show`. */
import { Command } from "@effect/cli"
import { Effect, Ref, Schema, Stream } from "effect"
import { Entry } from "../../../../domain/Message.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as Arguments from "../../Arguments.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import * as TranscriptText from "../../TranscriptText.js"

const encode = Schema.encodeSync(Schema.parseJson(Entry))

export const show = Command.make(
  "show",
  { session: Arguments.session, json: Arguments.json, data: Arguments.data },
  Effect.fn("sessions.show")(function* ({ data, json, session }) {
    const sessionId = yield* Arguments.sessionId(session)
    const screen = yield* Screen
    const render = json
      ? (entry: Entry) => `${TerminalText.json(encode(entry))}\n`
      : (entry: Entry) => TranscriptText.entry(screen.ansi, entry)
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      const snapshot = yield* gateway.snapshot(sessionId)
      if (!json) yield* screen.write(TranscriptText.heading(screen.ansi, snapshot.session))
      const last = yield* Ref.make(0)
      yield* Stream.runForEach(gateway.transcript({ sessionId }), (entry) =>
        Effect.zipRight(Ref.set(last, entry.seq), screen.write(render(entry)))
      )
      // Read after the snapshot, the transcript may already hold what still waited then.
      const head = yield* Ref.get(last)
      for (const entry of snapshot.batch.stored) {
        if (entry.seq > head) yield* screen.write(render(entry))
      }
      if (!json) yield* screen.write(TranscriptText.ending(screen.ansi, snapshot))
    }).pipe(Effect.provide(Engine.layerWithoutRuns(data)))
  })
).pipe(Command.withDescription("Print a session's transcript"))
