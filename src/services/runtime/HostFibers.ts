/**
 * The fibers of the host's work: choosing agents and models, the steps of models, handlers, storing rules. Each runs on
 * its own, so that nobody has to wait for one that ignores interruption; when the engine closes, all are interrupted and
 * waited for, but not forever. What comes before a call's start has fibers of its own as well: see `AtOnce`.
 */
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { inGrace } from "../AtMost.js"
import * as Ended from "../Ended.js"
import * as AtOnce from "./AtOnce.js"

export interface Service {
  /** Starts work in a fiber of its own. */
  readonly run: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<Fiber.RuntimeFiber<A, E>>
  /**
   * Does work, in a fiber of its own unless it has ended already. If the wait for it is interrupted, so is the work, but
   * nobody waits for that.
   */
  readonly doing: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /**
   * Does work in a fiber of its own, for callers that cannot be interrupted. If the caller is to end, the work has some
   * seconds more. If that is not enough, or the work is interrupted, it is not done, and this returns all the same.
   */
  readonly completing: <E>(work: Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Work that goes on now, given up or not. */
  readonly size: Effect.Effect<number>
}

export class HostFibers extends Context.Tag("skein/HostFibers")<HostFibers, Service>() {}

export const layer: Layer.Layer<HostFibers> = Layer.scoped(
  HostFibers,
  Effect.gen(function* () {
    const running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
    yield* Effect.addFinalizer(() => inGrace(Fiber.interruptAll(running)))
    const run = <A, E>(work: Effect.Effect<A, E>) =>
      Effect.tap(AtOnce.run(work), (fiber) =>
        Effect.sync(() => {
          running.add(fiber)
          fiber.addObserver(() => running.delete(fiber))
        })
      )
    return {
      run,
      doing: (work) =>
        Ended.provided(work, (work) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(run(work), (fiber) =>
              Effect.onInterrupt(restore(Effect.flatten(Fiber.await(fiber))), () => Fiber.interruptFork(fiber))
            )
          )
        ),
      completing: Effect.fnUntraced(function* (work) {
        const fiber = yield* run(work)
        const waited = yield* Effect.exit(Effect.interruptible(Fiber.await(fiber)))
        if (Exit.isFailure(waited)) yield* inGrace(Fiber.await(fiber))
        const exit = fiber.unsafePoll()
        if (exit === null) return yield* Fiber.interruptFork(fiber)
        if (!Exit.isInterrupted(exit)) return yield* exit
      }, Effect.uninterruptible),
      size: Effect.sync(() => running.size)
    }
  })
)
