/**
 * The session boundary within one process: a lock by key, first come first served, gone when nobody wants it.
 *
 * It guards what spans more than one commit (claim a session and start a run, stop and delete). It is held for the
 * change and never while a run, a tool or a human is waited for. Waiting for it can be interrupted. It is not
 * re-entrant. Across processes the commits themselves check what they rely on.
 */
import { Context, Deferred, Effect, FiberId, Layer } from "effect"

export interface Service {
  /** Runs an effect while no other holds `key`. */
  readonly hold: (key: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Keys held or waited for now. */
  readonly size: Effect.Effect<number>
}

export class Boundary extends Context.Tag("skein/Boundary")<Boundary, Service>() {}

const make = Effect.sync((): Service => {
  const queues = new Map<string, Array<Deferred.Deferred<void>>>()

  const release = (key: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const next = queues.get(key)?.shift()
      if (next !== undefined) return Deferred.succeed(next, undefined)
      queues.delete(key)
      return Effect.void
    })

  return {
    hold: (key) => (effect) =>
      Effect.uninterruptibleMask((restore) => {
        // Only the wait is interruptible: a key taken and then lost to an interruption would stay held for ever.
        const acquire = Effect.suspend(() => {
          const queue = queues.get(key)
          if (queue === undefined) {
            queues.set(key, [])
            return Effect.void
          }
          const turn = Deferred.unsafeMake<void>(FiberId.none)
          queue.push(turn)
          return restore(Deferred.await(turn)).pipe(
            Effect.onInterrupt(() => {
              const place = queue.indexOf(turn)
              if (place === -1) return release(key)
              queue.splice(place, 1)
              return Effect.void
            })
          )
        })
        return Effect.flatMap(acquire, () => Effect.ensuring(restore(effect), release(key)))
      }),
    size: Effect.sync(() => queues.size)
  }
})

/** One for all of an engine that starts or stops runs. */
export const layer: Layer.Layer<Boundary> = Layer.effect(Boundary, make)
