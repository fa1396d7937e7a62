/** Gates for tests of concurrency: a fiber at a gate waits until the test opens it. No sleeps, no time limits. */
import { Deferred, Effect } from "effect"

/** Named gates at which fibers wait until a test opens them. */
export interface Gate {
  /** Waits until the gate `name` is open. Returns immediately if it is already open. */
  readonly pass: (name: string) => Effect.Effect<void>
  /** Opens the gate `name` for every fiber that waits there, and for every fiber that comes later. */
  readonly open: (name: string) => Effect.Effect<void>
  /** Waits until a fiber has come to the gate `name`, whether it still waits there or not. */
  readonly reached: (name: string) => Effect.Effect<void>
}

/** Makes a set of named gates, all closed. */
export const make: Effect.Effect<Gate> = Effect.sync(() => {
  const latches = new Map<string, Deferred.Deferred<void>>()
  const latch = (name: string) =>
    Effect.suspend(() => {
      const known = latches.get(name)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.tap(Deferred.make<void>(), (made) => Effect.sync(() => latches.set(name, made)))
    })
  const opened = (name: string) => latch(`open ${name}`)
  const reached = (name: string) => latch(`reached ${name}`)
  return {
    pass: (name) =>
      Effect.flatMap(reached(name), (there) => Deferred.succeed(there, undefined)).pipe(
        Effect.zipRight(Effect.flatMap(opened(name), Deferred.await))
      ),
    open: (name) => Effect.flatMap(opened(name), (open) => Effect.asVoid(Deferred.succeed(open, undefined))),
    reached: (name) => Effect.flatMap(reached(name), Deferred.await)
  }
})
