/**
 * Runs effects all at once, many of them in portions, and gathers their results, in the order of the effects. `forEach` with concurrency,
 * interrupted before its inner fiber has started, waits for ever; so it runs in a fiber of its own that is interrupted only once an effect
 * has begun. Interrupted itself, it returns when all effects have ended.
 */
import { Deferred, Effect, Fiber } from "effect"
import type { Turn } from "../EventLoop.js"
import * as Portions from "./Portions.js"

export const all = <A, E, R>(
  effects: ReadonlyArray<Effect.Effect<A, E, R>>,
  turn: Turn
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (effects.length === 0) return []
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Portions.all(
        effects.map((effect) => Effect.zipRight(Effect.uninterruptible(Deferred.succeed(begun, undefined)), effect)),
        turn
      ).pipe(Effect.interruptible, Effect.forkDaemon)
      return yield* restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() => Effect.zipRight(Deferred.await(begun), Fiber.interrupt(fiber)))
      )
    })
  )
