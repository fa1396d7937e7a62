/**
 * The fibers of running handlers. Each runs on its own, so that nobody has to wait for one that ignores interruption;
 * when the engine closes, all are interrupted and waited for, but not forever.
 */
import { Context, Effect, Fiber, Layer } from "effect"
import { atMost } from "../AtMost.js"
import * as AtOnce from "./AtOnce.js"

export interface Service {
  /** Starts a handler in a fiber of its own. */
  readonly run: <A, E>(handler: Effect.Effect<A, E>) => Effect.Effect<Fiber.RuntimeFiber<A, E>>
  /** Handlers that run now, given up or not. */
  readonly size: Effect.Effect<number>
}

export class ToolFibers extends Context.Tag("skein/ToolFibers")<ToolFibers, Service>() {}

/** How long a closing engine waits for handlers that were interrupted. */
const grace = "5 seconds"

export const layer: Layer.Layer<ToolFibers> = Layer.scoped(
  ToolFibers,
  Effect.gen(function* () {
    const running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
    yield* Effect.addFinalizer(() => atMost(grace)(Fiber.interruptAll(running)))
    return {
      run: (handler) =>
        Effect.tap(AtOnce.run(handler), (fiber) =>
          Effect.sync(() => {
            running.add(fiber)
            fiber.addObserver(() => running.delete(fiber))
          })
        ),
      size: Effect.sync(() => running.size)
    }
  })
)
