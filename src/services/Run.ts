/** A run for its users: what it is, and its events, its end and its answer by its `Ref`. */
import { Effect, Option, Stream } from "effect"
import { textOf } from "../domain/Message.js"
import type { EndedRun, Ref } from "../domain/Run.js"
import { Cursor } from "../domain/Session.js"
import * as SessionEvent from "../domain/SessionEvent.js"
import * as SkeinError from "../domain/SkeinError.js"
import { Gateway, type Send } from "./gateway/Gateway.js"
import * as Waiting from "./gateway/Waiting.js"

export * from "../domain/Run.js"

const isOf = (ref: Ref) => (event: SessionEvent.SessionEvent) => "runId" in event && event.runId === ref.runId

const isEndOf = (ref: Ref) => (event: SessionEvent.SessionEvent) =>
  (SessionEvent.is("run.ended")(event) && event.runId === ref.runId) || event.type === "session.deleted"

/** The events of a run, from its first to its `run.ended`, whenever the subscription begins. */
export const events = (ref: Ref): Stream.Stream<SessionEvent.SessionEvent, SkeinError.Events, Gateway> =>
  Stream.unwrap(
    Effect.map(Gateway, (gateway) =>
      gateway.events({ sessionId: ref.sessionId, after: ref.cursor }).pipe(
        Stream.takeUntil(isEndOf(ref)),
        Stream.filter((event) => isOf(ref)(event) || event.type === "session.deleted")
      )
    )
  )

/** Waits for a run's end. Fails as `Gateway.await` does. */
const await_: (ref: Ref) => Effect.Effect<EndedRun, SkeinError.Await, Gateway> = Effect.fn("Run.await")(
  function* (ref) {
    return yield* (yield* Gateway).await(ref)
  }
)
export { await_ as await }

/** What `settle` sends: a message, and the key that it stands under. */
export interface Settle extends Omit<Send, "idempotencyKey"> {
  readonly idempotencyKey: string
}

/** Ends of a run that came from without: what it was to do is still to be done. */
const isCutOff = ({ stopReason }: EndedRun): boolean => stopReason === "crashed" || stopReason === "lease-lost"

/**
 * Sends a message, waits, and goes on with its run until it has an end of its own, through crashes and closed engines.
 * Returns that end. A worker that is killed at any time just calls it again with the same key and message: nothing is
 * sent twice, and what was done is not done again. Waits for a busy session unless `whenBusy` says otherwise. A run that
 * the session went on without, as another message came before it was resumed, is returned as it ended.
 */
export const settle = Effect.fn("Run.settle")(function* (input: Settle) {
  const gateway = yield* Gateway
  const { idempotencyKey, sessionId } = input
  // Before anything is sent that nobody could wait for.
  yield* Waiting.outsideTransaction(null)
  const call = yield* Waiting.ownCall(sessionId)
  if (Option.isSome(call)) return yield* new SkeinError.AwaitOwnSession({ sessionId, runId: call.value.runId })
  yield* gateway.send({ whenBusy: "queue", ...input })
  let ended: EndedRun | null = null
  while (true) {
    const ref = yield* Effect.catchTag(
      gateway.resume(sessionId, { idempotencyKey }),
      "SessionBusy",
      // Another message's run is in the way: it is waited for.
      ({ runId }) => Effect.as(await_({ sessionId, runId, cursor: Cursor.make(0) }), null)
    )
    if (ref === null) continue
    if (ended?.id === ref.runId) return ended
    ended = yield* await_(ref)
    if (!isCutOff(ended)) return ended
  }
})

/** The place of a run's last answer, by its events; by the transcript once events of the run have aged out. */
const lastAnswer = Effect.fnUntraced(function* (ref: Ref) {
  const gateway = yield* Gateway
  const byEvents = events(ref).pipe(
    Stream.filter(SessionEvent.is("message.appended")),
    Stream.filter(({ role }) => role === "assistant"),
    Stream.map(({ seq }) => seq),
    Stream.runLast
  )
  const byTranscript = gateway.transcript({ sessionId: ref.sessionId }).pipe(
    Stream.filter(({ message, runId }) => runId === ref.runId && message.role === "assistant"),
    Stream.map(({ seq }) => seq),
    Stream.runLast
  )
  return yield* Effect.catchTag(byEvents, "CursorGone", () => byTranscript)
})

/**
 * Waits for a run's end and returns the text of its last answer, however long ago that was. Fails with `RunStopped` when
 * the run ended in any other way than with an answer, and as `Run.await` does.
 */
export const answer = Effect.fn("Run.answer")(function* (ref: Ref) {
  const gateway = yield* Gateway
  const { detail, stopReason } = yield* await_(ref)
  if (stopReason !== "completed") return yield* new SkeinError.RunStopped({ runId: ref.runId, stopReason, detail })
  const seq = yield* lastAnswer(ref)
  if (Option.isNone(seq)) return ""
  return yield* gateway.entry({ sessionId: ref.sessionId, seq: seq.value }).pipe(
    Effect.map(({ message }) => textOf(message)),
    Effect.catchTag("MessageNotFound", () => Effect.succeed(""))
  )
})
