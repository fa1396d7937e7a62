/**
 * Runs effects all at once and gathers their results, in the order of the effects. `forEach` with concurrency,
 * interrupted before its inner fiber has started, waits for ever; so it runs in a fiber of its own that is interrupted only once an effect
 * has begun. Interrupted itself, it returns when all effects have ended.
 */
import { Deferred, Effect, Fiber } from "effect"

export const all = <A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (effects.length === 0) return []
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.forEach(
        effects,
        (effect) => Effect.zipRight(Effect.uninterruptible(Deferred.succeed(begun, undefined)), effect),
        { concurrency: "unbounded" }
      ).pipe(Effect.interruptible, Effect.forkDaemon)
      return yield* restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() => Effect.zipRight(Deferred.await(begun), Fiber.interrupt(fiber)))
      )
    })
  )
