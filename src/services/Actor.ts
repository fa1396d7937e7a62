/**
 * Who does what a fiber does: one reference in its context. What is changed through the Gateway is stored with it, in
 * the events, messages and runs that the change makes. A run's own work is nobody's, whoever sent its message.
 */
import { Context, Effect } from "effect"
import type { Actor } from "../domain/Actor.js"

export * from "../domain/Actor.js"

/** The actor of a fiber; null when nobody said who it is, and for the engine itself. */
export class Current extends Context.Reference<Current>()("skein/Actor", {
  defaultValue: (): Actor | null => null
}) {}

/** Runs an effect as an actor: what it changes is stored with it. Null stands for nobody. */
export const as =
  (actor: Actor | null) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Current, actor)
