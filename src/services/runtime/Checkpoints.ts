/**
 * Where an engine stops its runs by itself. Engines of other hosts cannot tell whether one that is silent is dead or only
 * cut off from storage. So it lets its runs go when storage has had no sign of life of it for some time, before anybody may
 * take them over (`Liveness.mayGoOn`). An engine that shares its storage with its own host alone needs no checkpoints:
 * whoever takes over from it has stored something twice meanwhile, and it could have answered.
 *
 * A process may be stopped for longer than that and wake up in the midst of anything. So each fiber of a run passes a
 * checkpoint whenever it goes on after it has waited: the clock is looked at first, and when the time is over the fiber
 * is interrupted instead. What a run has begun outside of Effect, a promise or a process, is not stopped there, but ended
 * as by any interruption.
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
  /** Lets the fibers of a run pass a checkpoint. `turnBack` is called when the time is over, once, and does not wait. */
  readonly guard: (turnBack: () => void) => Guard
  /** Looks at the clock when the time is due, while nothing passes a checkpoint. */
  readonly watch: Effect.Effect<never>
}

export class Checkpoints extends Context.Tag("skein/Checkpoints")<Checkpoints, Service>() {}

const none: Service = { signed: () => undefined, guard: () => identity, watch: Effect.never }

/** A run that passes; `last` numbers the fibers that there were when its time was over, for those are interrupted. */
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
            // Those that it has forked since are parts of its own end.
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
