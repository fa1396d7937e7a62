/**
 * What clients that wait get when the engine is closed: nobody is left who could wake them. It is what storage says of
 * anything that comes after.
 */
import { Deferred, Effect } from "effect"
import { StorageFailed } from "../../domain/SkeinError.js"

export const failure = () => new StorageFailed({ operation: "wait for the engine", code: "CLOSED" })

/** Waits for something, at most until the scope is closed: then the wait is interrupted. */
export const orClosed = Effect.gen(function* () {
  const closed = yield* Deferred.make<never, StorageFailed>()
  yield* Effect.addFinalizer(() => Deferred.fail(closed, failure()))
  // Both are interruptible even where the caller is not, or the race would never be over.
  return <A, E, R>(wait: Effect.Effect<A, E, R>) =>
    Effect.raceFirst(Effect.interruptible(wait), Effect.interruptible(Deferred.await(closed)))
})
