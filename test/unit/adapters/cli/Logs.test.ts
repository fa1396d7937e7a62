import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, LogLevel, Tracer } from "effect"
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Logs from "../../../../src/adapters/cli/Logs.js"
import type { Screen } from "../../../../src/adapters/cli/terminal/Screen.js"
import { StorageFailed } from "../../../../src/domain/SkeinError.js"
import { folder } from "../../services/storage/disk.js"
import * as Program from "./Program.js"
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

  /** Runs an effect with its own runtime, as in a process of its own, and its log in this file. */
  const logged = <A, E>(file: string, screen: Layer.Layer<Screen>, effect: Effect.Effect<A, E>) =>
    Effect.promise(() =>
      Effect.runPromise(effect.pipe(Effect.provide(Logs.layer({ level: LogLevel.Info, file })), Effect.provide(screen)))
    )

  it.scoped("drops lines that cannot be written, says so once, and says how many when it can write again", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const screen = yield* FakeScreen.make()
      const [file, real] = [join(directory, "skein.log"), join(directory, "real.log")]
      symlinkSync("/dev/full", file)
      const isRoomAgain = Effect.sync(() => {
        rmSync(file)
        symlinkSync(real, file)
      })
      const logs = [Effect.logInfo("one"), Effect.logInfo("two"), isRoomAgain, Effect.logInfo("three")]
      yield* logged(file, screen.layer, Effect.all(logs))
      expect(readFileSync(real, "utf8")).toMatch(/^[^\n]*message=three\n$/)
      const [full, works, end] = (yield* screen.errors).split("\n")
      expect(full).toMatch(/^skein: .*skein\.log.*ENOSPC/)
      expect(works).toMatch(/^skein: .*skein\.log.*2 lines/)
      expect(end).toBe("")
    })
  )

  it.scoped("goes on in a new file when the old one was moved away or removed", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const screen = yield* FakeScreen.make()
      const [file, moved] = [join(directory, "skein.log"), join(directory, "skein.log.1")]
      yield* logged(
        file,
        screen.layer,
        Effect.logInfo("one").pipe(
          Effect.tap(() => renameSync(file, moved)),
          Effect.zipRight(Effect.logInfo("two")),
          Effect.tap(() => rmSync(file)),
          Effect.zipRight(Effect.logInfo("three"))
        )
      )
      expect(readFileSync(moved, "utf8")).toMatch(/^[^\n]*message=one\n$/)
      expect(readFileSync(file, "utf8")).toMatch(/^[^\n]*message=three\n$/)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(yield* screen.errors).toBe("")
    })
  )

  it.scoped("goes on in the file that was moved away while no new one can be made", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const screen = yield* FakeScreen.make()
      const [file, moved] = [join(directory, "logs", "skein.log"), join(directory, "moved")]
      mkdirSync(join(directory, "logs"))
      yield* logged(
        file,
        screen.layer,
        Effect.logInfo("one").pipe(
          Effect.tap(() => renameSync(join(directory, "logs"), moved)),
          Effect.zipRight(Effect.logInfo("two"))
        )
      )
      expect(readFileSync(join(moved, "skein.log"), "utf8")).toMatch(/message=one\n.*message=two\n$/)
    })
  )

  it.scoped("has each key once in a line, whatever is logged", () =>
    Effect.gen(function* () {
      const screen = yield* FakeScreen.make()
      const file = join(yield* folder, "skein.log")
      const error = new StorageFailed({ operation: "read", code: "EIO" })
      yield* logged(
        file,
        screen.layer,
        Effect.annotateLogs(Effect.logWarning("it failed", "twice", error, { nth: 1 }), { message: "other" })
      )
      const line = readFileSync(file, "utf8")
      const keys = [...line.matchAll(/(?:^| )([a-z_0-9.]+)=(?:"(?:[^"\\]|\\.)*"|\S*)/g)].map(([, key]) => key)
      expect(keys).toEqual([...new Set(keys)])
      expect(line).toContain(' message="it failed twice" ')
      for (const said of ["StorageFailed", "EIO", "nth", "other"]) expect(line).toContain(said)
    })
  )

  it.effect("adds nothing to spans", () =>
    Effect.gen(function* () {
      const screen = yield* FakeScreen.make()
      const native = yield* Effect.tracer
      const events: Array<string> = []
      const tracer = Tracer.make({
        context: (f, fiber) => native.context(f, fiber),
        span: (...args) => Object.assign(native.span(...args), { event: (name: string) => void events.push(name) })
      })
      yield* Effect.logInfo("a line").pipe(
        Effect.withSpan("a span"),
        Effect.withTracer(tracer),
        Effect.provide(Layer.provide(Logs.layer({ level: LogLevel.Info, file: null }), screen.layer))
      )
      expect(yield* screen.errors).toContain("a line")
      expect(events).toEqual([])
    })
  )
})

it.scopedLive("a server and a run work whose log file is on a full disk", () =>
  Effect.gen(function* () {
    const home = yield* Program.make({ "answer.json": JSON.stringify([{ text: "done" }]) })
    const env = { SKEIN_MODEL: `script/${join(home.workdir, "answer.json")}` }
    const log = ["--log-file", "/dev/full", "--log-level", "debug"]
    const one = yield* home.run(["run", "go", ...log], env)
    expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining("done") })
    expect(one.stderr.match(/--log-file/g)).toHaveLength(1)
    const server = yield* home.start(["serve", "--port", "0", ...log], env)
    expect(yield* Effect.flatten(server.line)).toContain("listening")
    expect(yield* home.run(["run", "go"])).toMatchObject({ code: 0, stdout: expect.stringContaining("done") })
    yield* server.signal("SIGTERM")
    expect(yield* server.ended).toMatchObject({ code: 0 })
  })
)
