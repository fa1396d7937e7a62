/**
 * A group of tests with a requirement that cannot be met everywhere: without it they are skipped, but on CI they fail.
 */
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"

/**
 * `ready` is awaited before the first test, and its time does not count for any: a server takes a second or two to
 * start, and much longer on a busy machine. `missing` says, in one sentence, why the tests cannot run.
 */
export const groupThatNeeds =
  (ready: Effect.Effect<unknown>, missing: string | null) =>
  (name: string, tests: () => void): void => {
    if (missing === null) {
      describe(name, () => {
        beforeAll(() => Effect.runPromise(ready))
        tests()
      })
    } else if (process.env["CI"] === undefined) {
      console.warn(`${name}: skipped. ${missing}`)
      describe.skip(name, tests)
    } else it(name, () => expect.fail(missing))
  }
