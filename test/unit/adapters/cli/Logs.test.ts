import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, LogLevel } from "effect"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Logs from "../../../../src/adapters/cli/Logs.js"
import { folder } from "../../services/storage/disk.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

describe("Logs", () => {
  const settings = (...args: ReadonlyArray<string>) => {
    const reading = CommandLine.read(["run", "hi", ...args])
    return reading._tag === "Call" ? Logs.settings(reading.values) : Effect.die(reading)
  }

  it.effect("logs nothing unless it is asked for", () =>
    Effect.gen(function* () {
      expect(yield* settings()).toEqual({ level: LogLevel.None, file: null })
      expect(yield* settings("--log-level", "DEBUG")).toEqual({ level: LogLevel.Debug, file: null })
      expect(yield* settings("--log-file", "skein.log")).toEqual({ level: LogLevel.Info, file: "skein.log" })
      expect(yield* settings("--log-file=skein.log", "--log-level=error")).toEqual({
        level: LogLevel.Error,
        file: "skein.log"
      })
    })
  )

  it.effect("refuses an unknown level", () =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(settings("--log-level", "loud"))).message).toContain("one of all, trace, debug")
    })
  )

  it.scoped("writes a line for each log to the end of its file, which only its owner can read", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const screen = yield* FakeScreen.make()
      const [file, kept] = [join(directory, "skein.log"), join(directory, "kept.log")]
      writeFileSync(kept, "before\n")
      for (const to of [file, kept]) {
        const logs = Effect.zipRight(Effect.logInfo("line one\nline two", { nth: 1 }), Effect.logDebug("unheard"))
        // Each with its own runtime, as in a process of its own.
        const once = Effect.provide(logs, Logs.layer({ level: LogLevel.Info, file: to }))
        yield* Effect.promise(() => Effect.runPromise(Effect.provide(once, screen.layer)))
      }
      expect(readFileSync(file, "utf8")).toMatch(/^[^\n]*level=INFO[^\n]*line one[^\n]*\n$/)
      expect(readFileSync(kept, "utf8")).toMatch(/^before\n[^\n]*line two[^\n]*\n$/)
      expect(statSync(file).mode & 0o777).toBe(0o600)
    })
  )

  it.effect("without a file the lines go to the screen", () =>
    Effect.gen(function* () {
      const screen = yield* FakeScreen.make()
      const logs = Layer.provide(Logs.layer({ level: LogLevel.Info, file: null }), screen.layer)
      yield* Effect.provide(Effect.logInfo("line one\u202e"), logs)
      expect(yield* screen.errors).toMatch(/^[^\n]*level=INFO[^\n]*line one\\u202e[^\n]*\n$/)
    })
  )

  it.scoped("says why a file cannot be written", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "missing", "skein.log")
      const { layer } = yield* FakeScreen.make()
      const logs = Layer.provide(Logs.layer({ level: LogLevel.Info, file }), layer)
      const failure = yield* Effect.flip(Effect.provide(Effect.void, logs))
      expect(failure.message).toContain("ENOENT")
    })
  )
})
