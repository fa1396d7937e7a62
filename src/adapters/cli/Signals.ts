/**
 * How a command ends by SIGINT, SIGTERM, SIGQUIT or SIGHUP (a closed terminal).
 *
 * Until `arm`, each ends the process at once, as nothing is under way that has an end of its own. From then on the first
 * one interrupts the command, which ends in good order; the next one of any kind ends the process at once.
 *
 * Node sees a signal only between two steps of its event loop. A command that works for long in one step (a check of the
 * database, a migration) must not be armed meanwhile: then nothing could end it.
 */
import { Context, Effect, type Exit } from "effect"

export interface Service {
  readonly arm: Effect.Effect<void>
}

export class Signals extends Context.Reference<Signals>()("skein/cli/Signals", {
  defaultValue: (): Service => ({ arm: Effect.void })
}) {}

const names = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const

/** Runs a command, and gives its exit to `onExit`. */
export const runMain = <A, E>(command: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void): void => {
  // Keeps the process alive while the command waits for what does not, such as a lock.
  const alive = setInterval(() => undefined, 2 ** 31 - 1)
  const stop = () => {
    for (const name of names) process.removeListener(name, stop)
    fiber.unsafeInterruptAsFork(fiber.id())
  }
  const arm = Effect.sync(() => {
    for (const name of names) process.on(name, stop)
  })
  const fiber = Effect.runFork(Effect.provideService(command, Signals, { arm }))
  fiber.addObserver((exit) => {
    clearInterval(alive)
    onExit(exit)
  })
}
