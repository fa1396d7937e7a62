/** Runs for those who use them: what a run is, and its events, its end and its answer by its `Ref`. */
import { SqlClient } from "@effect/sql"
import { Effect, Option, Stream } from "effect"
import { textOf } from "../domain/Message.js"
import type { Ref, Run } from "../domain/Run.js"
import * as SessionEvent from "../domain/SessionEvent.js"
import * as SkeinError from "../domain/SkeinError.js"
import { Gateway } from "./gateway/Gateway.js"

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

/**
 * A run that is waited for inside a SQL transaction of the host waits for ever when one of its tools wants the same
 * connection.
 */
const outsideTransaction = (ref: Ref) =>
  Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (transaction) =>
    Option.isSome(transaction) ? new SkeinError.AwaitInTransaction({ runId: ref.runId }) : Effect.void
  )

const awaitEnd = Effect.fn("Run.await")(function* (ref: Ref) {
  yield* outsideTransaction(ref)
  return yield* (yield* Gateway).await(ref)
})

/** Waits for a run's end. Fails with `AwaitInTransaction` inside a SQL transaction: commit first. */
const await_: (ref: Ref) => Effect.Effect<Run, SkeinError.AwaitInTransaction | SkeinError.ReadRun, Gateway> = awaitEnd
export { await_ as await }

/**
 * Waits for a run's end and gives the text of its last answer. Fails with `RunStopped` when the run ended in any other
 * way than with an answer.
 */
export const answer = Effect.fn("Run.answer")(function* (ref: Ref) {
  const gateway = yield* Gateway
  const { detail, stopReason } = yield* awaitEnd(ref)
  if (stopReason !== "completed") {
    return yield* new SkeinError.RunStopped({ runId: ref.runId, stopReason: stopReason ?? "failed", detail })
  }
  const last = yield* events(ref).pipe(
    Stream.filter(SessionEvent.is("message.appended")),
    Stream.filter(({ role }) => role === "assistant"),
    Stream.runLast
  )
  if (Option.isNone(last)) return ""
  const { seq } = last.value
  const entry = yield* Stream.runHead(gateway.transcript({ sessionId: ref.sessionId, from: seq, to: seq }))
  return Option.match(entry, { onNone: () => "", onSome: ({ message }) => textOf(message) })
})
