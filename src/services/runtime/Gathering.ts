/**
 * Runs effects in parallel, begun in portions if they are many, and gathers their results in the order of the effects.
 * Each runs in a fiber of its own. When one fails, or the caller is interrupted, no more effects begin, those that have
 * begun are interrupted, and `all` returns when all of them have ended.
 *
 * `forEach` with concurrency would begin all effects before other work has a turn; and when it is interrupted before
 * its inner fiber has started, it waits forever.
 */
import { Deferred, Effect, Exit, Fiber } from "effect"
import type { Service as Stretch } from "../Stretch.js"
import * as Portions from "./Portions.js"

export const all = <A, E, R>(
  effects: ReadonlyArray<Effect.Effect<A, E, R>>,
  stretch: Stretch
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (effects.length === 0) return []
      const results: Array<A> = []
      const fibers: Array<Fiber.RuntimeFiber<A, E>> = []
      const over = yield* Deferred.make<void, E>()
      let left = effects.length
      let hasFailed = false
      const next = restore(stretch.oneOf(Portions.calls))

      const ended = (index: number) => (exit: Exit.Exit<A, E>) => {
        if (Exit.isSuccess(exit)) {
          results[index] = exit.value
          if (--left === 0) Deferred.unsafeDone(over, Effect.void)
        } else {
          hasFailed = true
          Deferred.unsafeDone(over, Exit.failCause(exit.cause))
        }
      }
      const begin = (effect: Effect.Effect<A, E, R>) =>
        Effect.suspend(() =>
          hasFailed
            ? Deferred.await(over)
            : Effect.map(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
                fiber.addObserver(ended(fibers.push(fiber) - 1))
              )
        )
      const interruptAll = Effect.fiberIdWith((id) =>
        Effect.zipRight(
          Portions.forEach(fibers, stretch, Portions.calls, (fiber) => fiber.interruptAsFork(id)),
          Fiber.awaitAll(fibers)
        )
      )
      yield* Effect.forEach(effects, (effect) => Effect.zipRight(next, begin(effect))).pipe(
        Effect.zipRight(restore(Deferred.await(over))),
        Effect.onError(() => interruptAll)
      )
      return results
    })
  )
