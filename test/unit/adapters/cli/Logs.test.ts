import { describe, expect, it } from "@effect/vitest"
import { Effect, LogLevel } from "effect"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Logs from "../../../../src/adapters/cli/Logs.js"
import { folder } from "../../services/storage/disk.js"

describe("Logs", () => {
  it.effect("takes the level out of the arguments, wherever it stands", () =>
    Effect.gen(function* () {
      for (const args of [
        ["--log-level", "debug", "run", "--json", "hi"],
        ["run", "--json", "hi", "--log-level", "DEBUG"],
        ["run", "--log-level=debug", "--json", "hi"]
      ]) {
        expect(yield* Logs.take(args)).toEqual({ level: LogLevel.Debug, file: null, args: ["run", "--json", "hi"] })
      }
    })
  )

  it.effect("logs nothing unless it is asked for", () =>
    Effect.gen(function* () {
      expect(yield* Logs.take(["run", "hi"])).toEqual({ level: LogLevel.None, file: null, args: ["run", "hi"] })
      const args = ["run", "--", "--log-level", "debug"]
      expect(yield* Logs.take(args)).toEqual({ level: LogLevel.None, file: null, args })
    })
  )

  it.effect("refuses a level that there is not", () =>
    Effect.gen(function* () {
      for (const args of [["--log-level"], ["--log-level", "loud"], ["--log-level="]]) {
        expect((yield* Effect.flip(Logs.take(args))).message).toContain("one of all, trace, debug")
      }
    })
  )

  it.effect("takes the file out of the arguments, which says that there are to be logs", () =>
    Effect.gen(function* () {
      for (const args of [
        ["--log-file", "skein.log", "run", "hi"],
        ["run", "hi", "--log-file=skein.log"]
      ]) {
        expect(yield* Logs.take(args)).toEqual({ level: LogLevel.Info, file: "skein.log", args: ["run", "hi"] })
        const asked = yield* Logs.take([...args, "--log-level=error"])
        expect(asked).toEqual({ level: LogLevel.Error, file: "skein.log", args: ["run", "hi"] })
      }
    })
  )

  it.effect("refuses a file that has no name", () =>
    Effect.gen(function* () {
      for (const args of [["--log-file"], ["--log-file="], ["run", "--log-file", "--json"]]) {
        expect((yield* Effect.flip(Logs.take(args))).message).toContain("--log-file takes a file")
      }
    })
  )

  it.scoped("writes a line for each log to the end of its file, which only its owner can read", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const [file, kept] = [join(directory, "skein.log"), join(directory, "kept.log")]
      writeFileSync(kept, "before\n")
      for (const to of [file, kept]) {
        const logs = Effect.zipRight(Effect.logInfo("line one\nline two", { nth: 1 }), Effect.logDebug("unheard"))
        // Each as the process of its own that it is.
        const once = Effect.provide(logs, Logs.layer({ level: LogLevel.Info, file: to, args: [] }))
        yield* Effect.promise(() => Effect.runPromise(once))
      }
      expect(readFileSync(file, "utf8")).toMatch(/^[^\n]*level=INFO[^\n]*line one[^\n]*\n$/)
      expect(readFileSync(kept, "utf8")).toMatch(/^before\n[^\n]*line two[^\n]*\n$/)
      expect(statSync(file).mode & 0o777).toBe(0o600)
    })
  )

  it.scoped("says why a file cannot be written", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "missing", "skein.log")
      const failure = yield* Effect.flip(
        Effect.provide(Effect.void, Logs.layer({ level: LogLevel.Info, file, args: [] }))
      )
      expect(failure.message).toContain("ENOENT")
    })
  )
})
