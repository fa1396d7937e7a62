/**
 * Reads of many watchers in portions: once they have taken some milliseconds together, timers and sockets have a turn
 * before the next one. However many replay long sessions at once, nobody else waits for more than one portion.
 */
import { type Clock, Effect } from "effect"
import type { Turn } from "../EventLoop.js"

/** Milliseconds of a portion. What watchers make of what was read takes about as long again. */
const portionMillis = 5

export type FairReads = <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export const make = (clock: Clock.Clock, turn: Turn): FairReads => {
  let spent = 0
  /** Opens once others have had their turn; null while reads go on. */
  let pause: Effect.Latch | null = null

  const letOthersGo = Effect.suspend(() => {
    const now = Effect.unsafeMakeLatch(false)
    pause = now
    return Effect.ensuring(
      turn,
      Effect.suspend(() => {
        spent = 0
        pause = null
        return now.open
      })
    )
  })

  const fair = <A, E, R>(read: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      if (pause !== null) return Effect.zipRight(pause.await, fair(read))
      if (spent >= portionMillis) return Effect.zipRight(letOthersGo, fair(read))
      const from = clock.unsafeCurrentTimeMillis()
      return Effect.ensuring(
        read,
        Effect.sync(() => (spent += clock.unsafeCurrentTimeMillis() - from))
      )
    })
  return fair
}
