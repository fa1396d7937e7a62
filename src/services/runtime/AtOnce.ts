/**
 * Work of the host that is usually done as soon as it has begun: a tool that reads its input, a policy that decides, a
 * handler. An effect that has ended when it is made needs nothing more. All other work runs in a fiber of its own, so
 * that nobody has to wait for work that ignores interruption. Waiting costs a timer and more fibers only if the work is
 * not done immediately: the caller begins the work, yields once, then waits.
 */
import { type Duration, Effect, Exit, Fiber, Option } from "effect"
import * as Ended from "../Ended.js"

/** Work that is done, or goes on. */
export type Work<A, E = never> = Exit.Exit<A, E> | Fiber.RuntimeFiber<A, E>

/** Runs work in a fiber of its own. */
export const run = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>> =>
  Effect.forkDaemon(Effect.interruptible(effect))

/** Begins the work that `make` returns, and provides it with what it requires. */
export const begin = <A, E, R>(
  make: () => Effect.Effect<A, E, R>,
  provide: (effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>
): Effect.Effect<Work<A, E>> =>
  Effect.suspend((): Effect.Effect<Work<A, E>> => {
    try {
      const made = make()
      return Ended.is(made) ? Effect.exit(made) : run(provide(made))
    } catch (defect) {
      return Effect.exit(Effect.die(defect))
    }
  })

/** Returns how work has ended; null if it has not. */
export const poll = <A, E>(work: Work<A, E>): Exit.Exit<A, E> | null => (Exit.isExit(work) ? work : work.unsafePoll())

export const isDone = (work: Work<unknown, unknown>): boolean => poll(work) !== null

/** Waits for work. If the wait is interrupted, the work goes on. */
export const exitOf = <A, E>(work: Work<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.suspend(() => {
    if (Exit.isExit(work)) return Effect.succeed(work)
    const exit = work.unsafePoll()
    return exit === null ? Fiber.await(work) : Effect.succeed(exit)
  })

/** The same for at most `limit`: None when the work takes longer. The work goes on. */
export const exitWithin = <A, E>(
  work: Work<A, E>,
  limit: Duration.Duration
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.suspend(() => {
    const exit = poll(work)
    return exit === null ? Effect.timeoutOption(exitOf(work), limit) : Effect.succeedSome(exit)
  })

/** Interrupts work that is not done, and does not wait for its end. */
export const giveUp = (work: Work<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => (Exit.isExit(work) || work.unsafePoll() !== null ? Effect.void : Fiber.interruptFork(work)))
