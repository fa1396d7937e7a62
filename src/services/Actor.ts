/**
 * The actor of a fiber: one reference in its context. A change through the Gateway is stored with it, in the events,
 * messages and runs that the change makes. A run's own work has no actor, whoever sent its message.
 */
import { Context, Effect } from "effect"
import type { Actor } from "../domain/Actor.js"

export * from "../domain/Actor.js"

/** The actor of a fiber; null when none was set, and for the engine itself. */
export class Current extends Context.Reference<Current>()("skein/Actor", {
  defaultValue: (): Actor | null => null
}) {}

/** Runs an effect as an actor: its changes are stored with that actor. Null stands for nobody. */
export const as =
  (actor: Actor | null) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Current, actor)
