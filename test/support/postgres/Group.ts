/** A group of tests that need what cannot be had everywhere: they are skipped without it, but fail on CI. */
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"

/** A server takes a second or two to begin, on a busy machine many: no test's time is spent on it. */
const patience = 120_000

/** `ready` is awaited before the first of the tests. `missing` says, in a sentence, why there cannot be any. */
export const groupThatNeeds =
  (ready: Effect.Effect<unknown>, missing: string | null) =>
  (name: string, tests: () => void): void => {
    if (missing === null) {
      describe(name, () => {
        beforeAll(() => Effect.runPromise(ready), patience)
        tests()
      })
    } else if (process.env["CI"] === undefined) {
      console.warn(`${name}: skipped. ${missing}`)
      describe.skip(name, tests)
    } else it(name, () => expect.fail(missing))
  }
