/**
 * Work of others that most often is done as soon as it has begun: a tool that reads its input, a policy that decides, a
 * handler. It runs in a fiber of its own, so that nobody has to wait for work that ignores interruption. Only when it is
 * not done at once does waiting for it cost a timer and more fibers: whoever begins works yields once, then waits.
 */
import { type Duration, Effect, type Exit, Fiber, Option } from "effect"

export type Work<A, E = never> = Fiber.RuntimeFiber<A, E>

export const begin = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Work<A, E>> =>
  Effect.forkDaemon(Effect.interruptible(effect))

export const isDone = (work: Work<unknown, unknown>): boolean => work.unsafePoll() !== null

/** Waits for work. When that is interrupted, the work goes on. */
export const exitOf = <A, E>(work: Work<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.suspend(() => {
    const exit = work.unsafePoll()
    return exit === null ? Fiber.await(work) : Effect.succeed(exit)
  })

/** The same for at most `limit`: none when the work takes longer. It goes on. */
export const exitWithin = <A, E>(
  work: Work<A, E>,
  limit: Duration.Duration
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.suspend(() => {
    const exit = work.unsafePoll()
    return exit === null ? Effect.timeoutOption(Fiber.await(work), limit) : Effect.succeedSome(exit)
  })

/** Interrupts work that is not done, and does not wait for that. */
export const giveUp = (work: Work<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => (isDone(work) ? Effect.void : Fiber.interruptFork(work)))
