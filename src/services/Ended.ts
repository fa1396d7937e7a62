/**
 * Effects that have ended as soon as they are made, such as `Effect.succeed` and `Either`: their outcome is known
 * without running them. What hosts write for the engine is usually such an effect, and a fiber for it would cost more
 * than its work.
 */
import { Effect, Either, Exit } from "effect"

/** Whether nothing is left to run. Then nothing is required either. */
export const is = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Effect.Effect<A, E> =>
  Exit.isExit(effect) || Either.isEither(effect)

/** Provides an effect with what it requires, unless it has ended. */
export const provided = <A, E, R, R2>(
  effect: Effect.Effect<A, E, R>,
  provide: (effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R2>
): Effect.Effect<A, E, R2> => (is(effect) ? effect : provide(effect))

/** The same as `Effect.map`, but an ended effect stays ended. */
export const map = <A, E, R, B>(effect: Effect.Effect<A, E, R>, f: (value: A) => B): Effect.Effect<B, E, R> =>
  is(effect) ? Exit.map(Effect.runSyncExit(effect), f) : Effect.map(effect, f)
