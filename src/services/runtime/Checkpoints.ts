/**
 * Where an engine stops its runs by itself. Engines of other hosts cannot tell whether a silent engine is dead or only
 * cut off from storage. So an engine lets its runs go when storage has had no sign of life from it for some time,
 * before another engine may take them over (`Liveness.mayGoOn`). An engine whose storage serves a single host needs no
 * checkpoints: whichever engine takes over has stored something twice meanwhile, so the silent one could have answered.
 *
 * A process may be stopped for longer than that and wake up in the middle of anything. So each fiber of a run passes a
 * checkpoint whenever it goes on after a wait: the clock is checked first, and when the time is over the fiber is
 * interrupted instead. What a run has begun outside of Effect, such as a promise or a process, is not stopped there,
 * but ended as by any interruption.
 */
import { Context, Effect, FiberId, FiberRef, identity, Layer, type Scheduler } from "effect"
import * as Liveness from "../../domain/Liveness.js"
import { EngineConfig } from "../EngineConfig.js"
import { Engines } from "../Engines.js"
import type { GivenPresence } from "./Leases.js"

type Guard = <A, E, R>(run: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export interface Service {
  /** Notes that storage has this sign of life. */
  readonly signed: (presence: GivenPresence) => void
  /**
   * Makes the fibers of a run pass a checkpoint. `turnBack` is called once, when the time is over, and must not wait.
   */
  readonly guard: (turnBack: () => void) => Guard
  /** Checks the clock when the time is due, in case no fiber passes a checkpoint. */
  readonly watch: Effect.Effect<never>
}

export class Checkpoints extends Context.Tag("skein/Checkpoints")<Checkpoints, Service>() {}

const none: Service = { signed: () => undefined, guard: () => identity, watch: Effect.never }

/**
 * A run that passes. `last` numbers the newest fiber at the time when it was over: fibers up to that are interrupted.
 */
interface Passing {
  readonly turnBack: () => void
  last: number | null
}

const newestFiber = (): number => FiberId.unsafeMake().id

const make = Effect.gen(function* () {
  const { elapsed, self } = yield* Engines
  const { leaseMillis } = yield* EngineConfig
  if (self.host === null) return none

  const passing = new Set<Passing>()
  const isSigned = yield* Effect.makeLatch(false)
  let signedAt = Number.NEGATIVE_INFINITY

  const look = (): void => {
    if (Liveness.mayGoOn(elapsed() - signedAt, leaseMillis)) return
    isSigned.unsafeClose()
    const last = newestFiber()
    for (const run of passing) run.last = last
    for (const { turnBack } of passing) turnBack()
    passing.clear()
  }

  const checkpoint = (run: Passing, base: Scheduler.Scheduler): Scheduler.Scheduler => {
    const told = new WeakSet<object>()
    return {
      shouldYield: (fiber) => base.shouldYield(fiber),
      scheduleTask: (task, priority, fiber) =>
        base.scheduleTask(
          () => {
            if (run.last === null) look()
            // Fibers that the run has forked since then are part of its own end.
            if (fiber !== undefined && run.last !== null && fiber.id().id <= run.last && !told.has(fiber)) {
              told.add(fiber)
              fiber.unsafeInterruptAsFork(FiberId.none)
            }
            task()
          },
          priority,
          fiber
        )
    }
  }

  return {
    signed: ({ givenAt }) => {
      signedAt = Math.max(signedAt, givenAt)
      isSigned.unsafeOpen()
    },
    guard: (turnBack) => (effect) =>
      Effect.suspend(() => {
        const run: Passing = { turnBack, last: null }
        passing.add(run)
        return FiberRef.get(FiberRef.currentScheduler).pipe(
          Effect.flatMap((base) => Effect.withScheduler(effect, checkpoint(run, base))),
          Effect.ensuring(Effect.sync(() => passing.delete(run)))
        )
      }),
    watch: Effect.gen(function* () {
      yield* isSigned.await
      const left = signedAt + Liveness.silenceMillis(leaseMillis) - elapsed()
      if (left > 0) return yield* Effect.sleep(Math.ceil(left))
      look()
    }).pipe(Effect.forever)
  } satisfies Service
})

export const layer: Layer.Layer<Checkpoints, never, Engines> = Layer.effect(Checkpoints, make)
