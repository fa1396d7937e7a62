/**
 * The fibers of the host's work: handlers, and the steps of its models. Each runs on its own, so that nobody has to wait
 * for one that ignores interruption; when the engine closes, all are interrupted and waited for, but not forever.
 */
import { Context, Effect, Fiber, Layer } from "effect"
import { atMost } from "../AtMost.js"
import * as AtOnce from "./AtOnce.js"

export interface Service {
  /** Starts work in a fiber of its own. */
  readonly run: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<Fiber.RuntimeFiber<A, E>>
  /** Does work in a fiber of its own. If the wait for it is interrupted, so is the work, but nobody waits for that. */
  readonly doing: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Work that goes on now, given up or not. */
  readonly size: Effect.Effect<number>
}

export class HostFibers extends Context.Tag("skein/HostFibers")<HostFibers, Service>() {}

/** How long a closing engine waits for work that was interrupted. */
const grace = "5 seconds"

export const layer: Layer.Layer<HostFibers> = Layer.scoped(
  HostFibers,
  Effect.gen(function* () {
    const running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
    yield* Effect.addFinalizer(() => atMost(grace)(Fiber.interruptAll(running)))
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
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(run(work), (fiber) =>
            Effect.onInterrupt(restore(Effect.flatten(Fiber.await(fiber))), () => Fiber.interruptFork(fiber))
          )
        ),
      size: Effect.sync(() => running.size)
    }
  })
)
