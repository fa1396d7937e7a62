/**
 * Asks in one way and, if no answer comes in time, in the next way too; the first answer that settles the matter
 * counts. What is asked may therefore be done twice, so repeating it must be harmless. Ways still without an answer at
 * that point are given up, not waited for.
 */
import { Deferred, type Duration, Effect, type Exit, Fiber, Option } from "effect"

export interface Patience {
  /** How long to wait before the next way is tried. */
  readonly reach: Duration.Duration
  /** How long to wait in all before every way is given up. */
  readonly giveUp: Duration.Duration
}

/**
 * Returns the first exit that `settles`; otherwise, once all ways have ended or time is up, the last exit so far, or
 * none if no way has ended.
 */
export const ask = <A, E>(
  ways: ReadonlyArray<Effect.Effect<A, E>>,
  settles: (exit: Exit.Exit<A, E>) => boolean,
  { giveUp, reach }: Patience
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> => {
  const fibers: Array<Fiber.RuntimeFiber<Exit.Exit<A, E>>> = []
  let last: Option.Option<Exit.Exit<A, E>> = Option.none()
  return Effect.gen(function* () {
    const settled = yield* Deferred.make<void>()
    let isSettled = false
    const ended = (exit: Exit.Exit<A, E>) =>
      Effect.suspend(() => {
        if (isSettled) return Effect.void
        last = Option.some(exit)
        isSettled = settles(exit)
        return isSettled ? Deferred.succeed(settled, undefined) : Effect.void
      })
    const askAll = Effect.gen(function* () {
      for (const way of ways) {
        const fiber = yield* Effect.forkDaemon(Effect.tap(Effect.exit(Effect.interruptible(way)), ended))
        fibers.push(fiber)
        yield* Effect.raceFirst(Fiber.await(fiber), Effect.sleep(reach))
        if (isSettled) return
      }
      yield* Fiber.awaitAll(fibers)
    })
    yield* Effect.timeoutOption(Effect.raceFirst(Deferred.await(settled), askAll), giveUp)
    return last
  }).pipe(Effect.ensuring(Effect.suspend(() => Effect.forEach(fibers, Fiber.interruptFork, { discard: true }))))
}
