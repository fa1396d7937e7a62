import { describe, expect, it } from "@effect/vitest"
import { Effect, LogLevel } from "effect"
import * as Logs from "../../../src/adapters/cli/Logs.js"

describe("Logs", () => {
  it.effect("takes the level out of the arguments, wherever it stands", () =>
    Effect.gen(function* () {
      for (const args of [
        ["--log-level", "debug", "run", "--json", "hi"],
        ["run", "--json", "hi", "--log-level", "DEBUG"],
        ["run", "--log-level=debug", "--json", "hi"]
      ]) {
        expect(yield* Logs.take(args)).toEqual({ level: LogLevel.Debug, args: ["run", "--json", "hi"] })
      }
    })
  )

  it.effect("logs nothing unless it is asked for", () =>
    Effect.gen(function* () {
      expect(yield* Logs.take(["run", "hi"])).toEqual({ level: LogLevel.None, args: ["run", "hi"] })
      const args = ["run", "--", "--log-level", "debug"]
      expect(yield* Logs.take(args)).toEqual({ level: LogLevel.None, args })
    })
  )

  it.effect("refuses a level that there is not", () =>
    Effect.gen(function* () {
      for (const args of [["--log-level"], ["--log-level", "loud"], ["--log-level="]]) {
        expect((yield* Effect.flip(Logs.take(args))).message).toContain("one of all, trace, debug")
      }
    })
  )
})
