/**
 * The session boundary within one process: a lock by key, first come first served, gone when nobody wants it.
 *
 * It guards what spans more than one commit (claim a session and start a run, stop and delete). It is held for the
 * change and never during a wait for a run, a tool or a human. Waiting for it can be interrupted. It is not re-entrant.
 * Across processes the commits themselves check what they rely on.
 */
import { Context, Effect, Layer } from "effect"
import * as KeyQueues from "./KeyQueues.js"

export interface Service {
  /** Runs an effect while no other holds `key`. */
  readonly hold: (key: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Keys held or waited for now. */
  readonly size: Effect.Effect<number>
}

export class Boundary extends Context.Tag("skein/Boundary")<Boundary, Service>() {}

const make = Effect.sync((): Service => {
  const queues = KeyQueues.make(1)
  return { hold: queues.hold, size: Effect.sync(queues.size) }
})

/** One boundary for everything in an engine that starts or stops runs. */
export const layer: Layer.Layer<Boundary> = Layer.effect(Boundary, make)
