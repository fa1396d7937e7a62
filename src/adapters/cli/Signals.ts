/**
 * How a command ends by SIGINT, SIGTERM, SIGQUIT or SIGHUP (a closed terminal).
 *
 * Until `arm`, each of them ends the process immediately, because nothing is under way that needs an end of its own.
 * From then on the first signal interrupts the command, which ends in good order; the next one of any kind ends the
 * process immediately. A command that a signal has cancelled ends by that signal, so that the script or service manager
 * that started it sees the cause.
 *
 * Node sees a signal only between two steps of its event loop. A command that works for long in one step (a check of
 * the database, a migration) must not be armed meanwhile, or nothing could end it.
 */
import { Context, Deferred, Effect, type Exit, FiberId } from "effect"
import { constants } from "node:os"

export interface Service {
  readonly arm: Effect.Effect<void>
  /** Takes `arm` back, unless a signal has come. */
  readonly disarm: Effect.Effect<void>
  /**
   * From now on the first signal interrupts nothing, and the next one ends the process immediately. The returned effect
   * completes when the first one comes.
   */
  readonly take: Effect.Effect<Effect.Effect<void>>
}

export class Signals extends Context.Reference<Signals>()("skein/cli/Signals", {
  defaultValue: (): Service => ({ arm: Effect.void, disarm: Effect.void, take: Effect.succeed(Effect.never) })
}) {}

/** Runs an effect that a signal interrupts, before what must not be armed. */
export const armed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Signals, ({ arm, disarm }) =>
    Effect.acquireUseRelease(
      arm,
      () => effect,
      () => disarm
    )
  )

const names = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const
type Name = (typeof names)[number]

/** The exit code of a command that was cancelled, by whatever means. */
export const cancelled = 130

/** Ends by the signal. SIGQUIT would leave a core file, so it becomes the exit code that a shell has for it. */
const endBy = (signal: Name): never => {
  if (signal !== "SIGQUIT") process.kill(process.pid, signal)
  return process.exit(128 + constants.signals[signal])
}

/** Runs a command, and ends the process with the code of its exit. */
export const runMain = <A, E>(command: Effect.Effect<A, E>, codeOf: (exit: Exit.Exit<A, E>) => number): void => {
  // Keeps the process alive while the command waits for what does not, such as a lock.
  const alive = setInterval(() => undefined, 2 ** 31 - 1)
  let received: Name | null = null
  const stop = (signal: Name) => {
    received = signal
    disarm()
    fiber.unsafeInterruptAsFork(fiber.id())
  }
  // A signal that has come but was not seen yet is lost with its listener, so no listener is replaced by another.
  let isArmed = false
  const disarm = () => {
    isArmed = false
    for (const name of names) process.removeListener(name, stop)
  }
  const arm = () => {
    if (isArmed || received !== null) return
    isArmed = true
    for (const name of names) process.on(name, stop)
  }
  const take = Effect.sync(() => {
    const first = Deferred.unsafeMake<void>(FiberId.none)
    const taken = () => {
      for (const name of names) process.removeListener(name, taken)
      Deferred.unsafeDone(first, Effect.void)
    }
    for (const name of names) process.on(name, taken)
    disarm()
    return Deferred.await(first)
  })
  const signals = { arm: Effect.sync(arm), disarm: Effect.sync(disarm), take }
  const fiber = Effect.runFork(Effect.provideService(command, Signals, signals))
  fiber.addObserver((exit) => {
    clearInterval(alive)
    const code = codeOf(exit)
    if (received !== null && code === cancelled) endBy(received)
    process.exit(code)
  })
}
