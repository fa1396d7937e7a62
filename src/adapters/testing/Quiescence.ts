/**
 * Waiting in a test until nothing more happens by itself: `idle` returns once no fiber is ready to run, because each
 * one has ended or waits for something that the test decides, such as a gate, a test clock or an interruption.
 *
 * `layer` puts the fiber that builds it, and every fiber forked from then on, on a scheduler that counts turns. It runs
 * them as Effect's own scheduler does: first come, first served, with a macrotask now and then so that promises and
 * timers get their turn.
 *
 * - A fiber that waits in `idle` is not ready, so several fibers may wait there at the same time.
 * - Promises count: `idle` checks once every macrotask, and returns when no fiber had a turn between two checks. By
 *   then, chains of promises and microtasks have finished, and so has a `setImmediate`.
 * - Fibers that never come to rest are reported: `idle` dies after 100,000 turns.
 *
 * It cannot see anything that comes from outside the program or takes real time, such as a socket, a file read
 * asynchronously, a hash made by the thread pool, another process or a real timer. Wait for the effects of those.
 * Fibers that were forked before `layer` was built do not count either.
 */
import { Effect, type Fiber, FiberId, FiberRef, Layer, Scheduler } from "effect"

/** More turns than a sound test takes until its fibers come to rest. */
const maxTurns = 100_000

/** Turns in a row before a macrotask, as in Effect's own scheduler. */
const turnsBeforeMacrotask = 2048

/** Runs all ready tasks in one turn; tasks that become ready meanwhile run in the next one. */
class TurnScheduler implements Scheduler.Scheduler {
  turns = 0
  lastReady: Fiber.RuntimeFiber<unknown, unknown> | undefined
  readonly shouldYield = Scheduler.defaultShouldYield
  private readonly runner = new Scheduler.SchedulerRunner((depth, drain) => {
    if (depth < turnsBeforeMacrotask) queueMicrotask(() => this.turn(() => drain(depth + 1)))
    else setImmediate(() => this.turn(() => drain(0)))
  })

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    this.lastReady = fiber
    this.runner.scheduleTask(task, priority)
  }

  private turn(drain: () => void): void {
    this.turns++
    drain()
  }
}

/**
 * Makes `idle` work for the fiber that builds it and for every fiber forked from then on. Inside another such layer,
 * the scheduler stays the same.
 */
export const layer: Layer.Layer<never> = Layer.scopedDiscard(
  Effect.flatMap(FiberRef.get(FiberRef.currentScheduler), (current) =>
    current instanceof TurnScheduler
      ? Effect.void
      : Effect.locallyScoped(FiberRef.currentScheduler, new TurnScheduler())
  )
)

/**
 * Waits until no fiber is ready to run. Dies if fibers are still ready after 100,000 turns, or if neither `layer` nor
 * `SkeinTest.layer` was built before.
 */
export const idle: Effect.Effect<void> = Effect.flatMap(FiberRef.get(FiberRef.currentScheduler), (scheduler) =>
  scheduler instanceof TurnScheduler
    ? idleOf(scheduler)
    : Effect.dieMessage("Quiescence.idle needs Quiescence.layer or SkeinTest.layer to be built before")
)

/** A ready fiber has its turn before the next check: turns are microtasks, or macrotasks that were queued earlier. */
const idleOf = (scheduler: TurnScheduler): Effect.Effect<void> =>
  Effect.async((resume) => {
    const lastTurn = scheduler.turns + maxTurns
    let turnsBefore = -1
    const look = () => {
      const { turns } = scheduler
      if (turns === turnsBefore) return resume(Effect.void)
      if (turns > lastTurn) return resume(Effect.dieMessage(restless(scheduler.lastReady)))
      turnsBefore = turns
      next = setImmediate(look)
    }
    let next = setImmediate(look)
    return Effect.sync(() => clearImmediate(next))
  })

const restless = (fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined): string => {
  const name = fiber === undefined ? "a fiber" : `fiber ${FiberId.threadName(fiber.id())}`
  return `${name} is still ready after ${maxTurns} turns: it will not come to rest by itself`
}
