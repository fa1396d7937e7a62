/**
 * The test runner, if there is one. Vitest cannot be imported in a program that it does not run, and a host that uses
 * only a scripted model need not install it. So it is loaded only when vitest runs this module.
 */
import type * as Vitest from "@effect/vitest"

const load = async (): Promise<typeof Vitest | null> => {
  if (process.env["VITEST"] === undefined) return null
  // A program that a test starts inherits the variable, and is not run by vitest.
  return import("@effect/vitest").catch(() => null)
}

const loaded = await load()

/** Returns the whole module. Throws when vitest does not run this module, or `@effect/vitest` is not installed. */
export const vitest = (): typeof Vitest => {
  if (loaded === null) throw new Error("The tests of a storage need vitest, to be run by it, and @effect/vitest.")
  return loaded
}

export const expect = <A>(actual: A, message?: string): Vitest.Assertion<A> => vitest().expect(actual, message)
