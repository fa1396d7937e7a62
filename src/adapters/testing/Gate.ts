/** Gates for tests of concurrency: what passes a gate waits until the test opens it. No sleeps, no time limits. */
import { Deferred, Effect } from "effect"

export interface Gate {
  /** Returns once `name` was opened, before or after. */
  readonly pass: (name: string) => Effect.Effect<void>
  /** Lets through whoever waits at `name`, and all who come later. */
  readonly open: (name: string) => Effect.Effect<void>
  /** Returns once somebody has come to `name`, waiting or not. */
  readonly reached: (name: string) => Effect.Effect<void>
}

/** A set of gates, told apart by name; all are closed at first. */
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
