/** Bounded waits for work that may never end, while something closes. */
import { type Duration, Effect, Fiber, type Option } from "effect"

/** How long something that closes waits for work that it has interrupted. */
const grace = "5 seconds"

/** Waits no longer than a limit, even where nothing is interruptible. Unfinished work goes on by itself. */
export const atMost =
  (limit: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
    effect.pipe(Effect.disconnect, Effect.timeoutOption(limit), Effect.interruptible)

/** The same for the grace, and where the caller's fiber is interrupted already: such a fiber cannot wait with a limit. */
export const inGrace = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<void> =>
  Effect.asVoid(Effect.flatMap(Effect.forkDaemon(atMost(grace)(effect)), Fiber.await))

/** Does work whose interruption is waited for no longer than the grace, even if the work ignores it. */
export const endingSoon = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(restore(work)), (fiber) =>
      Effect.onInterrupt(restore(Fiber.join(fiber)), () => inGrace(Fiber.interrupt(fiber)))
    )
  )
