/** Bounded waits for work that may never end, while something closes. */
import { type Duration, Effect, type Option } from "effect"

/** Waits no longer than a limit, even where nothing is interruptible. Unfinished work goes on by itself. */
export const atMost =
  (limit: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
    effect.pipe(Effect.disconnect, Effect.timeoutOption(limit), Effect.interruptible)
