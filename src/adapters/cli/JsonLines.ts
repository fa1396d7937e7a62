/**
 * Events as JSON, one per line. Besides the event's own fields, the first line has the paths of the run's
 * `instructions`, and a `run.ended` has the text of the `answer`: null when the run ended without one.
 */
import { Effect, Ref, Schema } from "effect"
import type { Message } from "../../domain/Message.js"
import { textOf } from "../../domain/Message.js"
import type { Seq, SessionId } from "../../domain/Session.js"
import * as SessionEvent from "../../domain/SessionEvent.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"

const encode = Schema.encodeSync(SessionEvent.SessionEvent)

/** Writes events to stdout. `messageAt` reads a message of the transcript. */
export const make = Effect.fnUntraced(function* <R>(
  messageAt: (sessionId: SessionId, seq: Seq) => Effect.Effect<Message | null, never, R>,
  instructions: ReadonlyArray<string>
) {
  const screen = yield* Screen
  const answers = yield* Ref.make<ReadonlyMap<string, Seq>>(new Map())
  const isBegin = yield* Ref.make(true)
  const write = (line: object) => screen.write(`${TerminalText.json(JSON.stringify(line))}\n`)
  return Effect.fnUntraced(function* (event: SessionEvent.SessionEvent) {
    if (event.type === "message.appended" && event.role === "assistant" && event.runId !== null) {
      const { runId, seq } = event
      yield* Ref.update(answers, (before) => new Map(before).set(runId, seq))
    }
    const isFirst = yield* Ref.getAndSet(isBegin, false)
    const first = isFirst ? { instructions } : {}
    if (event.type !== "run.ended") return yield* write({ ...encode(event), ...first })
    const seq = (yield* Ref.get(answers)).get(event.runId)
    const message =
      event.stopReason === "completed" && seq !== undefined ? yield* messageAt(event.sessionId, seq) : null
    const answer = message === null ? null : textOf(message)
    yield* write({ ...event, answer, ...first })
  })
})
