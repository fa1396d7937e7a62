import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { PassThrough } from "node:stream"
import * as Screen from "../../../../../src/adapters/cli/terminal/Screen.js"
import * as Gate from "../../../../../src/adapters/testing/Gate.js"

const fake = (options: {
  readonly isTerminal: boolean
  readonly columns?: number
  readonly env?: Record<string, string>
}) => {
  const stream = () => Object.assign(new PassThrough(), { isTTY: options.isTerminal, columns: options.columns ?? 80 })
  const streams = { stdin: stream(), stdout: stream(), stderr: stream(), env: options.env ?? {} }
  const text = (stream: PassThrough) => String(stream.read() ?? "")
  return { ...streams, make: Screen.make(streams), text }
}

describe("Screen", () => {
  it.effect("on a terminal a status is erased before anything else is written", () =>
    Effect.gen(function* () {
      const { make, stdout, text } = fake({ isTerminal: true })
      const screen = yield* make
      yield* screen.status("2 running")
      yield* screen.write("one\n")
      yield* screen.status("1 running")
      yield* screen.status("1 running")
      yield* screen.status("")
      expect(text(stdout)).toBe("\x1b[2m2 running\x1b[22m\r\x1b[2Kone\n\x1b[2m1 running\x1b[22m\r\x1b[2K")
    })
  )

  it.effect("a status fits on its line, however long and whatever is in it", () =>
    Effect.gen(function* () {
      const { make, stdout, text } = fake({ isTerminal: true, columns: 30, env: { NO_COLOR: "1" } })
      const screen = yield* make
      yield* screen.status(`日本\x1b[2J${"x".repeat(100)}`)
      expect(text(stdout)).toBe(`日本␛[2J${"x".repeat(20)}…`)
    })
  )

  it.effect("in a pipe, with NO_COLOR or on a dumb terminal nothing but the text is written", () =>
    Effect.gen(function* () {
      for (const options of [{ isTerminal: false }, { isTerminal: true, env: { TERM: "dumb" } }]) {
        const { make, stdout, text } = fake(options)
        const screen = yield* make
        yield* screen.status("2 running")
        yield* screen.write(screen.ansi.red("one\n"))
        expect(text(stdout)).toBe("one\n")
      }
      const screen = yield* fake({ isTerminal: true, env: { NO_COLOR: "1" } }).make
      expect(screen.ansi.red("one")).toBe("one")
    })
  )

  it.effect("while a question waits, what is written to the terminal is kept until it is over", () =>
    Effect.gen(function* () {
      const { make, stderr, stdin, stdout, text } = fake({ isTerminal: true })
      const screen = yield* make
      const gate = yield* Gate.make
      expect(screen.canAsk).toBe(true)
      const asking = yield* Effect.fork(screen.holding(Effect.zipRight(gate.pass("asked"), screen.ask("sure? "))))
      yield* gate.reached("asked")
      yield* screen.write("meanwhile\n")
      yield* screen.status("1 running")
      yield* gate.open("asked")
      stdin.write("y\nand more\n")
      expect(yield* Fiber.join(asking)).toBe("y")
      expect(text(stderr)).toBe("sure? ")
      expect(text(stdout)).toBe("meanwhile\n")
    })
  )

  it.effect("a question that is taken back lets go of the input", () =>
    Effect.gen(function* () {
      const { make, stdin } = fake({ isTerminal: true })
      const screen = yield* make
      const reading = yield* Effect.fork(
        Effect.async<void>((resume) => void stdin.once("resume", () => resume(Effect.void)))
      )
      const asking = yield* Effect.fork(screen.ask("sure? "))
      yield* Fiber.join(reading)
      yield* Fiber.interrupt(asking)
      expect(stdin.isPaused()).toBe(true)
      expect(stdin.listenerCount("data")).toBe(0)
    })
  )

  it.effect("input that has ended is no answer", () =>
    Effect.gen(function* () {
      const { make, stdin } = fake({ isTerminal: true })
      stdin.end()
      expect(yield* Effect.flatMap(make, (screen) => screen.ask("sure? "))).toBe(null)
    })
  )

  it.effect("output that nobody reads any more is a failure that says so", () =>
    Effect.gen(function* () {
      const { make, stdout } = fake({ isTerminal: false })
      const screen = yield* make
      stdout.destroy(Object.assign(new Error("broken"), { code: "EPIPE" }))
      const error = yield* Effect.flip(screen.write("one\n"))
      expect(error.isClosed).toBe(true)
    })
  )
})
