import { isRunning } from "./Running.js"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schedule } from "effect"
import type { Scheduler } from "effect"
import { readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as NodeExec from "../../../../src/adapters/node/NodeExec.js"
import { Exec } from "../../../../src/services/Exec.js"
import type { Command } from "../../../../src/services/Exec.js"

const run = (command: Command["command"], fields: Partial<Command> = {}) =>
  Effect.flatMap(Exec, (exec) =>
    exec.run({ command, cwd: tmpdir(), timeoutMillis: 15_000, maxBytes: 10_000, ...fields })
  )

/** Starts a command and waits until it has printed `count` pids, one per line. */
const startAndGetPids = (command: string, count: number, fields: Partial<Command> = {}) =>
  Effect.gen(function* () {
    const printed = yield* Deferred.make<ReadonlyArray<number>>()
    let output = ""
    const onOutput = (text: string) =>
      Effect.suspend(() => {
        output += text
        const pids = output.split("\n").slice(0, -1).map(Number)
        return pids.length < count ? Effect.void : Deferred.succeed(printed, pids)
      })
    const fiber = yield* Effect.fork(run(command, { onOutput, ...fields }))
    const pids = yield* Effect.raceFirst(
      Deferred.await(printed),
      Effect.zipRight(Fiber.join(fiber), Effect.dieMessage(`ended early: ${output}`))
    )
    return { fiber, pids }
  })

const test = <E>(name: string, body: () => Effect.Effect<void, E, Exec>, options: NodeExec.Options = {}) =>
  it.live(name, () => Effect.provide(body(), NodeExec.layer(options)))

const ignoresTerm = "trap '' TERM; echo $$; while :; do sleep 60; done"

describe("NodeExec on every platform", () => {
  test("runs a program", () =>
    Effect.gen(function* () {
      const program = "process.stdout.write(process.argv[1] + process.env.EXTRA); process.exit(3)"
      expect(yield* run([process.execPath, "-e", program, "a b"], { env: { EXTRA: "ü" } })).toEqual({
        exitCode: 3,
        signal: null,
        output: "a bü",
        truncatedBytes: 0,
        isComplete: true,
        timedOut: false,
        endedOthers: false
      })
    }))
})

const onPosix = process.platform === "win32" ? () => undefined : describe

onPosix("NodeExec", () => {
  describe("a command", () => {
    test("returns its exit code, and both outputs in the order in which they were written", () =>
      Effect.gen(function* () {
        expect(yield* run("for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3")).toEqual({
          exitCode: 3,
          signal: null,
          output: "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n",
          truncatedBytes: 0,
          isComplete: true,
          timedOut: false,
          endedOthers: false
        })
      }))

    test("reports the signal that ended it", () =>
      Effect.gen(function* () {
        expect(yield* run("kill -9 $$")).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: false })
      }))

    test("passes arguments to a program unchanged", () =>
      Effect.gen(function* () {
        const { output } = yield* run(["printf", "%s|", "a b", "$HOME", "'\"", ""])
        expect(output).toBe("a b|$HOME|'\"||")
      }))

    test("keeps both outputs of a program", () =>
      Effect.gen(function* () {
        const { output } = yield* run(["sh", "-c", "echo out; echo err >&2"])
        expect(output.split("\n").toSorted()).toEqual(["", "err", "out"])
      }))

    test("given as text keeps its quotes, lines and dollars", () =>
      Effect.gen(function* () {
        const { output } = yield* run("x='a\"b'\nprintf '%s' \"$x\" # comment\ncat <<'END'\n$x `y`\nEND\n")
        expect(output).toBe('a"b$x `y`\n')
      }))

    test("has empty input and no terminal", () =>
      Effect.gen(function* () {
        const { exitCode, output } = yield* run(
          "cat; read -r line && exit 1; test -t 0 && exit 2; (: < /dev/tty) 2>/dev/null && exit 3; exit 0"
        )
        expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" })
      }))

    test("runs in its folder", () =>
      Effect.gen(function* () {
        expect((yield* run("pwd -P", { cwd: "/" })).output).toBe("/\n")
      }))
  })

  describe("a command that does not start", () => {
    test("fails with a typed reason", () =>
      Effect.gen(function* () {
        const reason = (command: Command["command"], fields: Partial<Command> = {}) =>
          Effect.map(Effect.flip(run(command, fields)), (error) => error.reason)
        expect(yield* reason(["skein-no-such-program"])).toBe("not-found")
        expect(yield* reason(["/"])).toBe("no-access")
        expect(yield* reason("true", { cwd: "/skein/no/such/folder" })).toBe("no-folder")
        expect(yield* reason("true", { cwd: "/etc/passwd" })).toBe("no-folder")
        expect(yield* reason(["echo", "a\0b"])).toBe("invalid")
        expect(yield* reason(["echo", "x".repeat(3_000_000)])).toBe("failed")
      }))
  })

  describe("the end of a command", () => {
    test("a background process that keeps the output open does not delay the call, and ends with it", () =>
      Effect.gen(function* () {
        const { endedOthers, exitCode, isComplete, output } = yield* run("sleep 600 & echo $!")
        expect({ endedOthers, exitCode, isComplete }).toEqual({ endedOthers: true, exitCode: 0, isComplete: true })
        expect(isRunning(Number(output))).toBe(false)
      }))

    test(
      "a background process that ignores SIGTERM is killed",
      () =>
        Effect.gen(function* () {
          const { output } = yield* run("read -r pid < <(trap '' TERM; sleep 600 >&2 & echo $!; wait); echo $pid")
          expect(isRunning(Number(output))).toBe(false)
        }),
      { graceMillis: 50 }
    )

    test("a process that left the group and keeps the output open does not delay the call", () =>
      Effect.gen(function* () {
        const outcome = yield* run("read -r pid < <(setsid sh -c 'echo $$; exec sleep 600 >&2'); echo $pid", {
          timeoutMillis: 600_000
        })
        const pid = Number(outcome.output)
        yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(pid, "SIGKILL")))
        expect(isRunning(pid)).toBe(true)
        expect(outcome).toMatchObject({ exitCode: 0, isComplete: false, timedOut: false })
      }).pipe(Effect.scoped))

    test("the whole process group is gone when an interruption returns", () =>
      Effect.gen(function* () {
        const { fiber, pids } = yield* startAndGetPids("echo $$; sleep 600 & echo $!; (sleep 600 & echo $!; wait)", 3)
        expect(pids.map(isRunning)).toEqual([true, true, true])
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        expect(pids.map(isRunning)).toEqual([false, false, false])
      }))

    test(
      "an interrupted command that ignores SIGTERM is killed",
      () =>
        Effect.gen(function* () {
          const { fiber, pids } = yield* startAndGetPids(ignoresTerm, 1)
          yield* Fiber.interrupt(fiber)
          expect(pids.map(isRunning)).toEqual([false])
        }),
      { graceMillis: 50 }
    )

    test("a command may clean up when it is stopped at its timeout", () =>
      Effect.gen(function* () {
        const outcome = yield* run("trap 'echo cleaned; exit 7' TERM; echo ready; sleep 600 & wait", {
          timeoutMillis: 1_500
        })
        expect(outcome).toEqual({
          exitCode: 7,
          signal: null,
          output: "ready\ncleaned\n",
          truncatedBytes: 0,
          isComplete: true,
          timedOut: true,
          endedOthers: false
        })
      }))

    test("a command ends at its timeout with all that it started, and its output is kept", () =>
      Effect.gen(function* () {
        const outcome = yield* run("sleep 600 & echo $!; sleep 600", { timeoutMillis: 1_500 })
        expect(outcome).toMatchObject({ exitCode: null, signal: "SIGTERM", timedOut: true })
        expect(isRunning(Number(outcome.output))).toBe(false)
      }))

    if (process.platform === "linux") {
      test("an interruption also ends processes that left the group", () =>
        Effect.gen(function* () {
          const { fiber, pids } = yield* startAndGetPids(
            "setsid sh -c 'echo $$; setsid sleep 600 & echo $!; wait' & wait",
            2
          )
          expect(pids.map(isRunning)).toEqual([true, true])
          yield* Fiber.interrupt(fiber)
          expect(pids.map(isRunning)).toEqual([false, false])
        }))
    }

    test("a listener that never returns does not delay the call past its timeout", () =>
      Effect.gen(function* () {
        const outcome = yield* run("echo hello; sleep 600", { timeoutMillis: 1_500, onOutput: () => Effect.never })
        expect(outcome).toMatchObject({ timedOut: true, output: "hello\n", isComplete: true })
      }))

    test("a listener that never returns loses no output", () =>
      Effect.gen(function* () {
        const outcome = yield* run("echo one; read -r line; sleep 0.05; echo two; sleep 0.05; echo three", {
          onOutput: () => Effect.never
        })
        expect(outcome).toMatchObject({ exitCode: 0, output: "one\ntwo\nthree\n", isComplete: true })
      }))
  })

  describe("output", () => {
    if (process.platform === "linux") {
      test("of a command that ended before anybody could read it is kept", () =>
        Effect.gen(function* () {
          const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8")
          const before = children()
          // No fiber runs while the command does.
          const tasks: Array<() => void> = []
          const runWhenAlone = (): void => {
            if (children() !== before) return void setImmediate(runWhenAlone)
            for (const task of tasks.splice(0)) task()
          }
          const late: Scheduler.Scheduler = {
            shouldYield: () => false,
            scheduleTask: (task) => {
              if (tasks.push(task) === 1) setImmediate(runWhenAlone)
            }
          }
          const outcome = yield* Effect.withScheduler(run("echo out; echo err >&2"), late)
          expect(outcome).toMatchObject({ exitCode: 0, output: "out\nerr\n", isComplete: true })
        }))
    }

    test("of sixty commands at once is kept", () =>
      Effect.gen(function* () {
        const numbers = Array.from({ length: 60 }, (_, index) => index)
        const outcomes = yield* Effect.forEach(numbers, (index) => run(`echo ${index}`), { concurrency: "unbounded" })
        expect(outcomes.map(({ output }) => output)).toEqual(numbers.map((index) => `${index}\n`))
      }))

    test("of 100 MB keeps its two ends", () =>
      Effect.gen(function* () {
        const { output, truncatedBytes } = yield* run(
          "echo begin; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end",
          { maxBytes: 1_000, timeoutMillis: 60_000 }
        )
        expect(truncatedBytes).toBe(100_000_011 - 1_000)
        expect(output).toMatch(/^begin\nx{494}\n\[… 99999011 bytes left out here …\]\nx{495}\nend\n$/)
      }))

    test("that never ends is stopped at the timeout", () =>
      Effect.gen(function* () {
        const outcome = yield* run("yes", { maxBytes: 100, timeoutMillis: 200 })
        expect(outcome.timedOut).toBe(true)
        expect(outcome.output.length).toBeLessThan(200)
      }))

    test("never splits a character, however it arrives", () =>
      Effect.gen(function* () {
        const pieces: Array<string> = []
        const { output } = yield* run("printf '\\xf0\\x9f'; sleep 0.05; printf '\\x98\\x80'; printf '\\xc3'", {
          onOutput: (text) => Effect.sync(() => void pieces.push(text))
        })
        expect(output).toBe("😀\ufffd")
        expect(pieces).toEqual(["😀", "\ufffd"])
      }))

    test("that is read only after the command and its group have ended is kept too", () =>
      Effect.gen(function* () {
        const outcome = yield* run("trap 'echo rest; exit 0' USR1; sleep 600 & echo $$ $!; wait", {
          onOutput: (text) =>
            Effect.suspend(() => {
              if (text === "rest\n") return Effect.void
              const pids = text.split(" ").map(Number)
              process.kill(pids[0] ?? 0, "SIGUSR1")
              return Effect.repeat(
                Effect.sync(() => pids.some(isRunning)),
                { while: (runs) => runs, schedule: Schedule.spaced("400 millis") }
              )
            })
        })
        expect(outcome).toMatchObject({ exitCode: 0, timedOut: false })
        expect(outcome.output).toMatch(/^\d+ \d+\nrest\n$/)
      }))

    test("is reported as it comes", () =>
      Effect.gen(function* () {
        const first = yield* Deferred.make<string>()
        const fiber = yield* Effect.fork(
          run("echo first; sleep 600", { onOutput: (text) => Deferred.succeed(first, text) })
        )
        expect(yield* Deferred.await(first)).toBe("first\n")
        yield* Fiber.interrupt(fiber)
      }))
  })

  describe("environment", () => {
    const canary = "skein-canary-value"

    const withCanary = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => void (process.env["SKEIN_TEST_KEY"] = canary)),
        () => effect,
        () => Effect.sync(() => delete process.env["SKEIN_TEST_KEY"])
      )

    it.live("keeps variables that are not on the list from a command", () =>
      Effect.gen(function* () {
        const { output } = yield* run("env", { env: { EXTRA: "given" } })
        expect(output).not.toContain(canary)
        expect(output).toContain("EXTRA=given\n")
        expect(output).toContain("TERM=dumb\n")
        expect(output).toContain(`PATH=${process.env["PATH"]}\n`)
      }).pipe(Effect.provide(NodeExec.layer()), withCanary)
    )

    it.live("passes on further variables that a host names", () =>
      Effect.gen(function* () {
        expect((yield* run("echo $SKEIN_TEST_KEY")).output).toBe(`${canary}\n`)
      }).pipe(Effect.provide(NodeExec.layer({ inherit: ["SKEIN_TEST_KEY"] })), withCanary)
    )
  })
})
