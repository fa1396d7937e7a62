/**
 * The run that a queued one waits for, and what becomes of it there. When its engine dies while it waits for an answer,
 * the next engine that looks takes it over, and no event tells of it. Whoever followed the run is then gone with the
 * old engine, so it is for those who wait at the new one to follow it.
 */
import { Effect, Option, Ref, Schedule } from "effect"
import type * as Run from "../../domain/Run.js"
import { Gateway, type Snapshot } from "../../services/gateway/Gateway.js"

/** Where the run that holds the session is driven, seen from the engine of the snapshot; null if that cannot be told. */
const placeOf = ({ live, run }: Snapshot): "here" | "elsewhere" | null => {
  if (run === null) return null
  if (run.crashed || live?.runId !== run.run.id) return "elsewhere"
  // What a step has written is also known from other engines, until its message is stored.
  return live.step === null || live.step.stored ? "here" : null
}

/** The run that holds the session, if another engine drives it or nobody does; null for none. */
export const elsewhere = (snapshot: Snapshot): Run.Id | null =>
  placeOf(snapshot) === "elsewhere" ? (snapshot.run?.run.id ?? null) : null

/** Whether the run that holds the session was released, and no engine has taken it up. */
const isReleased = ({ run }: Snapshot): boolean => run?.run.state === "running" && run.run.releasedAt !== null

export interface Listener<out E, out R> {
  /** Called when the engine has taken over a run that was elsewhere. */
  readonly taken: (runId: Run.Id) => Effect.Effect<void, E, R>
  /** Called when the engine of a run has released it. */
  readonly released: (runId: Run.Id) => Effect.Effect<void, E, R>
}

/** Looks every second, as long as a run is queued. `first` is the run that was elsewhere before this one was queued. */
export const watch = Effect.fnUntraced(function* <E, R>(
  { runId, sessionId }: Run.Ref,
  first: Run.Id | null,
  { released, taken }: Listener<E, R>
) {
  const gateway = yield* Gateway
  const left = yield* Ref.make(first)
  const told = yield* Ref.make<Run.Id | null>(null)
  const look = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const holder = snapshot.run?.run.id
    const place = placeOf(snapshot)
    if (holder !== undefined && place === "elsewhere") {
      yield* Ref.set(left, holder)
      if (isReleased(snapshot) && (yield* Ref.getAndSet(told, holder)) !== holder) yield* released(holder)
    }
    if (holder !== undefined && place === "here" && (yield* Ref.getAndSet(left, null)) === holder) yield* taken(holder)
    return snapshot.queued.some(({ id }) => id === runId)
  })
  // Storage may fail for a moment.
  const snapshot = Effect.option(gateway.snapshot(sessionId))
  const isQueued = Effect.flatMap(
    snapshot,
    Option.match({ onNone: () => Effect.succeed(true), onSome: (found) => look(found) })
  )
  yield* Effect.repeat(isQueued, { schedule: Schedule.spaced("1 second"), while: (isQueued) => isQueued })
})
