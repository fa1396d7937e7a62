import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { PassThrough } from "node:stream"
import type { Host, Signal } from "../../../../../src/adapters/cli/terminal/Host.js"
import * as Screen from "../../../../../src/adapters/cli/terminal/Screen.js"
import * as Gate from "../../../../../src/adapters/testing/Gate.js"
import * as FakeTerminal from "./FakeTerminal.js"
import * as HandClock from "./HandClock.js"

interface Options {
  readonly isTerminal?: boolean
  readonly isErrorTerminal?: boolean
  readonly isForeground?: () => boolean
  readonly fatal?: ReadonlyArray<Signal>
  readonly columns?: number
  readonly env?: Record<string, string>
}

/** A process whose stdout and stderr go to the same terminal, if they go to a terminal. */
const fake = (options: Options = {}) =>
  Effect.gen(function* () {
    const { columns = 80, env = {}, isTerminal = true } = options
    const isErrorTerminal = options.isErrorTerminal ?? isTerminal
    const terminal = FakeTerminal.make(columns, 24)
    const modes: Array<boolean> = []
    const signals: Array<Signal> = []
    const listeners = new Map<string, () => void>()
    const sent = { stdout: "", stderr: "" }
    const output = (name: "stdout" | "stderr", isTTY: boolean) => {
      const stream = Object.assign(new PassThrough(), { isTTY, columns, rows: 24 })
      stream.setEncoding("utf8").on("data", (text: string) => {
        sent[name] += text
        if (isTTY) terminal.send(text)
      })
      return stream
    }
    const stdin = Object.assign(new PassThrough(), {
      isTTY: isTerminal,
      setRawMode: (mode: boolean) => modes.push(mode)
    })
    const stdout = output("stdout", isTerminal)
    const host: Host = {
      stdin,
      stdout,
      stderr: output("stderr", isErrorTerminal),
      env,
      isForeground: options.isForeground ?? (() => true),
      isFatal: (signal) => (options.fatal ?? []).includes(signal),
      signal: (signal) => void signals.push(signal),
      on: (event, listener) => {
        listeners.set(event, listener)
        return () => void listeners.delete(event)
      }
    }
    const hand = HandClock.make()
    const screen = yield* Effect.withClock(Screen.make(host), hand.clock)
    const type = (text: string) =>
      Effect.zipRight(
        Effect.sync(() => stdin.write(text)),
        hand.pass(0)
      )
    /** Starts an effect and waits until nothing more happens unless time passes. */
    const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.tap(Effect.fork(effect), hand.pass(0))
    return { screen, terminal, sent, modes, signals, listeners, type, start, stdout, stdin, ...hand }
  })

const yesOrNo = (line: string | null) => (line === "y" ? true : line === "n" || line === null ? false : null)

const question = {
  subject: {
    title: "shell wants to run with this input:",
    body: '{"command":"x"}',
    hint: () => "type a to see everything"
  },
  prompt: "y or n: "
}

describe("Screen", () => {
  it.effect("finished lines of both streams stay above what is at the bottom; nothing is left at the end", () =>
    Effect.gen(function* () {
      const { millis, pass, screen, start, terminal } = yield* fake()
      const gate = yield* Gate.make
      const living = yield* start(screen.live(gate.pass("end"), "taken"))
      yield* screen.show({ tasks: [{ text: "grep x", startedAt: millis() }], status: "" })
      yield* screen.write("one\n")
      yield* screen.write("half a ")
      yield* screen.writeError("an error\n")
      yield* pass(2_000)
      expect(terminal.rows()).toEqual(["one", "an error", "half a ", "  ⠋ grep x  2 s"])
      expect(terminal.cursor()).toMatchObject({ row: 2, isShown: false })
      yield* screen.write("line\n")
      yield* gate.open("end")
      yield* Fiber.join(living)
      expect(terminal.rows()).toEqual(["one", "an error", "half a line"])
      expect(terminal.cursor()).toEqual({ row: 3, isAtStart: true, isShown: true })
    })
  )

  it.effect("a line that is not finished when the effect is interrupted is finished then", () =>
    Effect.gen(function* () {
      const { screen, start, terminal } = yield* fake()
      const living = yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [], status: "waiting for the model" })
      yield* screen.write("half an ans")
      yield* Fiber.interrupt(living)
      expect(terminal.rows()).toEqual(["half an ans"])
      expect(terminal.cursor()).toEqual({ row: 1, isAtStart: true, isShown: true })
    })
  )

  it.effect("is drawn anew in the width that the terminal has", () =>
    Effect.gen(function* () {
      const { screen, sent, start, stdout } = yield* fake()
      yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [{ text: "x".repeat(70), startedAt: 0 }], status: "" })
      sent.stdout = ""
      stdout.columns = 30
      stdout.emit("resize")
      yield* Effect.yieldNow()
      expect(sent.stdout).toMatch(/ {2}⠋ x+… {2}16 min 40 s/)
      expect(sent.stdout).not.toMatch(/x{30}/)
    })
  )

  it.effect("in a pipe, on a dumb terminal and with NO_COLOR nothing but text is written", () =>
    Effect.gen(function* () {
      for (const options of [{ isTerminal: false }, { env: { TERM: "dumb" } }]) {
        const { screen, sent } = yield* fake(options)
        yield* screen.live(
          Effect.zipRight(screen.show({ tasks: [], status: "waiting" }), screen.write(screen.ansi.red("one\n"))),
          "taken"
        )
        expect(sent).toEqual({ stdout: "one\n", stderr: "" })
      }
      const { screen } = yield* fake({ env: { NO_COLOR: "1" } })
      expect(screen.ansi.red("one")).toBe("one")
    })
  )

  it.effect("when only stderr is a terminal the bottom is there, and stdout has the text alone", () =>
    Effect.gen(function* () {
      const { screen, sent, start, terminal } = yield* fake({ isTerminal: false, isErrorTerminal: true })
      yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [], status: "waiting" })
      yield* screen.write("answer\n")
      yield* screen.writeError("progress\n")
      expect(sent.stdout).toBe("answer\n")
      expect(terminal.rows()).toEqual(["progress", "  ⠋ waiting"])
    })
  )

  it.effect("a key typed before a question, or in its first 300 ms, does not answer it", () =>
    Effect.gen(function* () {
      const { pass, screen, start, terminal, type } = yield* fake()
      yield* start(screen.live(Effect.never, "taken"))
      yield* type("y\ny")
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* type("y\n")
      yield* pass(290)
      yield* type("y\ny")
      expect(terminal.rows()).toEqual(["  shell wants to run with this input:", '  {"command":"x"}'])
      yield* pass(10)
      expect(terminal.rows().at(-1)).toBe("  y or n:  ")
      yield* type("n")
      expect(terminal.rows().at(-1)).toBe("  y or n: n ")
      yield* type("\n")
      expect(yield* Fiber.join(asking)).toBe(false)
      yield* pass(100)
      expect(terminal.rows()).toEqual(["  shell wants to run with this input:", '  {"command":"x"}', "  y or n: n"])
    })
  )

  it.effect("keys that wait in a terminal that was not live do not answer either", () =>
    Effect.gen(function* () {
      const { pass, screen, start, stdin, type } = yield* fake()
      stdin.write("y\n")
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* pass(300)
      yield* type("n\n")
      expect(yield* Fiber.join(asking)).toBe(false)
    })
  )

  it.effect("keys that came while the process was busy do not answer, though its time is over when it reads them", () =>
    Effect.gen(function* () {
      const { jump, pass, screen, start, stdin, type } = yield* fake()
      const asking = yield* start(screen.ask(question, yesOrNo))
      setImmediate(() => stdin.write("y\n"))
      yield* jump(300)
      yield* pass(0)
      yield* type("n\n")
      expect(yield* Fiber.join(asking)).toBe(false)
    })
  )

  it.effect("one line answers one question", () =>
    Effect.gen(function* () {
      const { pass, screen, start, type } = yield* fake()
      const both = yield* start(Effect.all([screen.ask(question, yesOrNo), screen.ask(question, yesOrNo)]))
      yield* pass(300)
      yield* type("y\ny\n")
      yield* pass(300)
      yield* type("n\n")
      expect(yield* Fiber.join(both)).toEqual([true, false])
    })
  )

  it.effect("what ends while a question waits is shown above it", () =>
    Effect.gen(function* () {
      const { pass, screen, start, terminal, type } = yield* fake()
      yield* start(screen.live(Effect.never, "taken"))
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* pass(300)
      yield* type("maybe\n")
      yield* type("y")
      yield* screen.write("  ✓ list\n")
      expect(terminal.rows()).toEqual([
        "  ✓ list",
        "  shell wants to run with this input:",
        '  {"command":"x"}',
        "  y or n: y "
      ])
      yield* type("\n")
      expect(yield* Fiber.join(asking)).toBe(true)
    })
  )

  it.effect("a question that is withdrawn lets go of the input and leaves nothing", () =>
    Effect.gen(function* () {
      const { modes, pass, screen, start, stdin, terminal } = yield* fake()
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* pass(300)
      yield* Fiber.interrupt(asking)
      expect(terminal.rows()).toEqual([])
      expect(modes).toEqual([true, false])
      expect(stdin.isPaused()).toBe(true)
    })
  )

  it.effect("the end of the input is no answer, and neither is one that is typed", () =>
    Effect.gen(function* () {
      const { modes, pass, screen, start, stdin, type } = yield* fake()
      const living = yield* start(screen.live(Effect.never, "taken"))
      const typed = yield* start(screen.ask(question, (line) => line ?? "none"))
      yield* pass(300)
      yield* type("\x04")
      expect(yield* Fiber.join(typed)).toBe("none")
      expect(modes).toEqual([true, false, true])
      yield* Fiber.interrupt(living)
      const asking = yield* start(screen.ask(question, (line) => line ?? "none"))
      yield* pass(300)
      stdin.end()
      expect(yield* Fiber.join(asking)).toBe("none")
      const late = yield* start(screen.ask(question, (line) => line ?? "none"))
      yield* pass(300)
      expect(yield* Fiber.join(late)).toBe("none")
    })
  )

  it.effect(
    "on a dumb terminal the end of the input is no answer, ends the prompt's line, and nobody is left to ask",
    () =>
      Effect.gen(function* () {
        const { pass, screen, sent, start, stdin } = yield* fake({ env: { TERM: "dumb" } })
        expect(screen.canAsk).toBe(true)
        const asking = yield* start(screen.ask(question, (line) => line ?? "none"))
        yield* pass(300)
        stdin.end()
        expect(yield* Fiber.join(asking)).toBe("none")
        expect(sent.stderr.endsWith("  y or n: \n")).toBe(true)
        expect(screen.canAsk).toBe(false)
      })
  )

  it.effect("a terminal that was closed answers nothing, and takes nothing down with it", () =>
    Effect.gen(function* () {
      const { pass, screen, start, stdin } = yield* fake()
      const asking = yield* start(screen.ask(question, (line) => line ?? "none"))
      yield* pass(300)
      stdin.destroy(Object.assign(new Error("closed"), { code: "EIO" }))
      expect(yield* Fiber.join(asking)).toBe("none")
      const late = yield* start(screen.ask(question, (line) => line ?? "none"))
      yield* pass(300)
      expect(yield* Fiber.join(late)).toBe("none")
    })
  )

  it.effect("a dumb terminal is asked by plain lines", () =>
    Effect.gen(function* () {
      const { pass, screen, sent, start, type } = yield* fake({ env: { TERM: "dumb" } })
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* type("y\n")
      expect(sent.stderr).toBe('  shell wants to run with this input:\n  {"command":"x"}\n')
      yield* pass(300)
      expect(sent.stderr).toContain("  y or n: ")
      yield* type("n\n")
      expect(yield* Fiber.join(asking)).toBe(false)
    })
  )

  it.effect("on a dumb terminal the prompt is repeated below what comes after it, and after a wrong key", () =>
    Effect.gen(function* () {
      const { pass, screen, sent, start, terminal, type } = yield* fake({ env: { TERM: "dumb" } })
      yield* screen.write("half a line")
      const asking = yield* start(screen.ask(question, yesOrNo))
      expect(terminal.rows()).toEqual(["half a line", "  shell wants to run with this input:", '  {"command":"x"}'])
      yield* pass(300)
      sent.stderr = ""
      // The terminal itself shows what is typed, with the line's end.
      terminal.send("x\n")
      yield* type("x\n")
      expect(sent.stderr).toBe("  y or n: ")
      expect(terminal.rows().slice(3)).toEqual(["  y or n: x", "  y or n: "])
      yield* screen.writeError("one is done\ntwo is done\n")
      yield* screen.write("three is done\n")
      expect(terminal.rows().slice(4)).toEqual(["  y or n: ", "one is done", "two is done", "three is done"])
      yield* pass(300)
      expect(terminal.rows().slice(8)).toEqual(["  y or n: "])
      yield* pass(3_000)
      expect(terminal.rows().slice(8)).toEqual(["  y or n: "])
      yield* screen.write("words ")
      yield* pass(300)
      yield* screen.write("that go on")
      expect(terminal.rows().slice(9)).toEqual(["words that go on"])
      yield* pass(600)
      expect(terminal.rows().slice(9)).toEqual(["words that go on", "  y or n: "])
      terminal.send("y\n")
      yield* type("y\n")
      expect(yield* Fiber.join(asking)).toBe(true)
      yield* screen.write("end\n")
      yield* pass(3_000)
      expect(terminal.rows().slice(9)).toEqual(["words that go on", "  y or n: y", "end"])
    })
  )

  it.effect("on a dumb terminal a question that is withdrawn ends its line and comes back no more", () =>
    Effect.gen(function* () {
      const { pass, screen, start, terminal } = yield* fake({ env: { TERM: "dumb" } })
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* pass(300)
      yield* Fiber.interrupt(asking)
      yield* screen.write("answered elsewhere\n")
      yield* pass(3_000)
      expect(terminal.rows().slice(2)).toEqual(["  y or n: ", "answered elsewhere"])
    })
  )

  it.effect("what goes to a pipe does not move a dumb terminal's prompt", () =>
    Effect.gen(function* () {
      const { pass, screen, sent, start } = yield* fake({
        env: { TERM: "dumb" },
        isTerminal: false,
        isErrorTerminal: true
      })
      yield* start(screen.ask({ ...question, subject: null }, yesOrNo))
      yield* pass(300)
      yield* screen.write("answer\n")
      yield* pass(3_000)
      expect(sent).toEqual({ stdout: "answer\n", stderr: "  y or n: " })
    })
  )

  it.effect("keys are left to the terminal where that is wanted, but for questions", () =>
    Effect.gen(function* () {
      const { modes, pass, screen, start, type } = yield* fake()
      yield* start(screen.live(Effect.never, "left"))
      yield* screen.show({ tasks: [], status: "waiting" })
      expect(modes).toEqual([])
      const asking = yield* start(screen.ask(question, yesOrNo))
      yield* pass(300)
      yield* type("y\n")
      expect(yield* Fiber.join(asking)).toBe(true)
      expect(modes).toEqual([true, false])
    })
  )

  it.effect("keys for signals send them; the terminal is given back before one that ends the process", () =>
    Effect.gen(function* () {
      const { modes, screen, signals, start, terminal, type } = yield* fake({ fatal: ["SIGQUIT"] })
      yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [], status: "waiting" })
      yield* type("\x03")
      expect(signals).toEqual(["SIGINT"])
      expect(terminal.rows()).toEqual(["  ⠋ waiting"])
      yield* type("\x1c")
      expect(signals).toEqual(["SIGINT", "SIGQUIT"])
      expect(terminal.rows()).toEqual([])
      expect(terminal.cursor().isShown).toBe(true)
      expect(modes).toEqual([true, false])
    })
  )

  it.effect("a stopped process leaves the terminal, and takes it again when it goes on in the foreground", () =>
    Effect.gen(function* () {
      let isForeground = true
      const { listeners, modes, pass, screen, signals, start, terminal, type } = yield* fake({
        isForeground: () => isForeground
      })
      yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [], status: "waiting" })
      isForeground = false
      yield* type("\x1a")
      expect(signals).toEqual(["SIGTSTP"])
      expect(terminal.cursor().isShown).toBe(true)
      listeners.get("SIGCONT")?.()
      yield* pass(100)
      yield* screen.write("one\n")
      expect(terminal.rows()).toEqual(["one"])
      expect(modes).toEqual([true, false])
      isForeground = true
      listeners.get("SIGCONT")?.()
      yield* pass(100)
      expect(terminal.rows()).toEqual(["one", "  ⠹ waiting"])
      expect(modes).toEqual([true, false, true])
    })
  )

  it.effect("a process that exits or fails gives the terminal back", () =>
    Effect.gen(function* () {
      for (const event of ["exit", "uncaughtExceptionMonitor"]) {
        const { listeners, pass, screen, start, terminal } = yield* fake()
        const living = yield* start(screen.live(Effect.never, "taken"))
        yield* screen.show({ tasks: [], status: "waiting" })
        listeners.get(event)?.()
        yield* pass(0)
        expect(terminal.rows()).toEqual([])
        expect(terminal.cursor().isShown).toBe(true)
        yield* Fiber.interrupt(living)
        expect([...listeners.keys()]).toEqual([])
      }
    })
  )

  it.effect("a logger's lines are above the bottom too", () =>
    Effect.gen(function* () {
      const { pass, screen, start, terminal } = yield* fake()
      yield* start(screen.live(Effect.never, "taken"))
      yield* screen.show({ tasks: [], status: "waiting" })
      yield* screen.write("half a ")
      screen.log("level=debug\n")
      yield* pass(0)
      expect(terminal.rows()).toEqual(["level=debug", "half a ", "  ⠋ waiting"])
    })
  )

  it.effect("output that nobody reads any more is a failure that says so", () =>
    Effect.gen(function* () {
      const { screen, stdout } = yield* fake({ isTerminal: false })
      stdout.destroy(Object.assign(new Error("broken"), { code: "EPIPE" }))
      const error = yield* Effect.flip(screen.write("one\n"))
      expect(error.isClosed).toBe(true)
    })
  )
})
