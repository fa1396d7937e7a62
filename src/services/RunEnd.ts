/** A run's events and its end, by its `Ref`; and the end of a message's run, through crashes. */
import { Effect, Option, Stream } from "effect"
import type { EndedRun, Ref } from "../domain/Run.js"
import { Cursor, type SessionId } from "../domain/Session.js"
import * as SessionEvent from "../domain/SessionEvent.js"
import * as SkeinError from "../domain/SkeinError.js"
import { Gateway, type Send } from "./gateway/Gateway.js"
import * as Waiting from "./gateway/Waiting.js"
import * as SpanEnds from "./SpanEnds.js"

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
const await_: (ref: Ref) => Effect.Effect<EndedRun, SkeinError.Await, Gateway> = Effect.fn("Run.await")(function* (
  ref
) {
  return yield* (yield* Gateway).await(ref)
}, SpanEnds.own)
export { await_ as await }

/** What `settle` sends: a message with its key. */
export interface Settle extends Omit<Send, "idempotencyKey"> {
  readonly idempotencyKey: string
}

/** Whether a run's end came from outside: its work is still to be done. */
export const isCutOff = ({ stopReason }: EndedRun): boolean => stopReason === "crashed" || stopReason === "lease-lost"

/** Fails where a run that is yet to be sent could not be waited for. */
export const mayWaitForNext = Effect.fnUntraced(function* (sessionId: SessionId) {
  yield* Waiting.outsideTransaction(null)
  const call = yield* Waiting.ownCall(sessionId)
  if (Option.isSome(call)) return yield* new SkeinError.AwaitOwnSession({ sessionId, runId: call.value.runId })
})

/** Goes on with the run of a key until it has an end of its own, or the session went on without it. */
export const goOn = Effect.fnUntraced(function* (sessionId: SessionId, idempotencyKey: string) {
  const gateway = yield* Gateway
  let ended: EndedRun | null = null
  while (true) {
    const ref = yield* Effect.catchTag(
      gateway.resume(sessionId, { idempotencyKey }),
      "SessionBusy",
      // Another message's run is in the way: wait for it.
      ({ runId }) => Effect.as(await_({ sessionId, runId, cursor: Cursor.make(0) }), null)
    )
    if (ref === null) continue
    if (ended?.id === ref.runId) return ended
    ended = yield* await_(ref)
    if (!isCutOff(ended)) return ended
  }
})

/**
 * Sends a message, waits, and goes on with its run until it has an end of its own, through crashes and closed engines.
 * Returns that end. A worker that is killed at any time just calls it again with the same key and message: nothing is
 * sent twice, and finished work is not done again. Waits for a busy session unless `whenBusy` says otherwise. If
 * another message came before the run was resumed, the session went on without it, and the run is returned as it ended.
 */
export const settle: (
  input: Settle
) => Effect.Effect<EndedRun, SkeinError.Send | SkeinError.Resume | SkeinError.Await, Gateway> = Effect.fn("Run.settle")(
  function* (input: Settle) {
    const gateway = yield* Gateway
    const { idempotencyKey, sessionId } = input
    // Checked before anything is sent that could not be waited for.
    yield* mayWaitForNext(sessionId)
    yield* gateway.send({ whenBusy: "queue", ...input })
    return yield* goOn(sessionId, idempotencyKey)
  },
  SpanEnds.own
)
