/**
 * Lets one effect at a time pass, in the order in which they came. A fiber that is interrupted gives up its place or
 * its turn. With Effect's semaphore, a fiber that is interrupted after it got the permit and before it goes on keeps
 * the permit forever. Unlike a slot of `KeyQueues`, a turn is not handed over: a fiber that runs already may take it
 * before the one that was woken, which with many fibers keeps the event loop's stretches shorter.
 */
import { Deferred, Effect, FiberId } from "effect"

export type OneByOne = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export const make = (): OneByOne => {
  const waiting = new Set<Deferred.Deferred<void>>()
  let isTaken = false

  /** Wakes the next fiber. It holds nothing yet: it takes its turn when it goes on, or passes the call on. */
  const callNext = (): void => {
    const [next] = waiting
    if (isTaken || next === undefined) return
    waiting.delete(next)
    Deferred.unsafeDone(next, Effect.void)
  }

  return (effect) =>
    Effect.uninterruptibleMask((restore) => {
      const take: typeof effect = Effect.suspend(() => {
        if (isTaken) {
          const place = Deferred.unsafeMake<void>(FiberId.none)
          waiting.add(place)
          const leave = Effect.sync(() => {
            waiting.delete(place)
            callNext()
          })
          return Effect.zipRight(
            Effect.onError(restore(Deferred.await(place)), () => leave),
            take
          )
        }
        isTaken = true
        return Effect.ensuring(
          restore(effect),
          Effect.sync(() => {
            isTaken = false
            callNext()
          })
        )
      })
      return take
    })
}
