import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"

describe("skein/testing in a program that vitest does not run", () => {
  const environments = { "in a test's environment": { VITEST: "true" }, "in any other environment": {} }
  for (const [name, env] of Object.entries(environments)) {
    it.scopedLive(`can be imported ${name}, and a suite says what it needs`, () =>
      Effect.gen(function* () {
        const program = yield* bundle(new URL("plain.ts", import.meta.url))
        const running = yield* Process.start(process.execPath, [program], { env })
        const { code, stderr, stdout } = yield* running.ended
        expect({ code, stderr, lines: stdout.trim().split("\n") }).toEqual({
          code: 0,
          stderr: "",
          lines: ["script", "Error: The tests of a storage need vitest, to be run by it, and @effect/vitest."]
        })
      })
    )
  }
})
