import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Ref } from "effect"
import { readFile } from "node:fs/promises"
import * as NodeExec from "../../../../src/adapters/node/NodeExec.js"
import { shell } from "../../../../src/adapters/tools/ShellTool.js"
import { Exec } from "../../../../src/services/Exec.js"
import type { Command, Completion } from "../../../../src/services/Exec.js"
import { isRunning } from "../node/Running.js"
import * as TestWorkspace from "./TestWorkspace.js"

const finished: Completion = {
  exitCode: 0,
  signal: null,
  output: "",
  truncatedBytes: 0,
  isComplete: true,
  timedOut: false,
  endedOthers: false
}

/** An `Exec` that returns this and records the commands. */
const answering = (answer: Partial<Completion>, asked: Ref.Ref<ReadonlyArray<Command>>) =>
  Layer.succeed(Exec, {
    run: (command) =>
      Effect.as(
        Ref.update(asked, (before) => [...before, command]),
        { ...finished, ...answer }
      )
  })

describe("shell", () => {
  it.effect("calls Exec with the folder and limits, and reports how the command ended", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<Command>>([])
      const call = (answer: Partial<Completion>, timeoutMs?: number) =>
        shell
          .invoke(timeoutMs === undefined ? { command: "x" } : { command: "x", timeoutMs })
          .pipe(TestWorkspace.inFolder("/ws"), Effect.provide(answering(answer, asked)))
      expect(yield* call({ output: "a\nb" })).toBe("a\nb\n[exit code 0]")
      expect(yield* call({ exitCode: 3 })).toBe("[exit code 3]")
      expect(yield* call({ exitCode: null, signal: "SIGKILL", output: "a\n" })).toBe("a\n[ended by SIGKILL]")
      expect(yield* call({ exitCode: null, signal: "SIGTERM", timedOut: true }, 50)).toBe(
        "[timed out after 50 ms and was stopped]"
      )
      expect(yield* call({ output: "a", endedOthers: true })).toBe(
        "a\n[background processes were ended with the command]\n[exit code 0]"
      )
      expect(yield* call({ output: "a\n", isComplete: false })).toBe(
        "a\n[output may be missing: a process that the command left behind still has it open]\n[exit code 0]"
      )
      const bounds = (yield* Ref.get(asked)).map(({ command, cwd, maxBytes, timeoutMillis }) => [
        command,
        cwd,
        maxBytes,
        timeoutMillis
      ])
      expect(bounds).toEqual([
        ...Array.from({ length: 3 }, () => ["x", "/ws", 28_000, 120_000]),
        ["x", "/ws", 28_000, 50],
        ...Array.from({ length: 2 }, () => ["x", "/ws", 28_000, 120_000])
      ])
    })
  )

  it("has a longer timeout than a command may ask for", () => {
    const { timeout } = shell
    expect(timeout === null ? 0 : Duration.toMillis(timeout)).toBeGreaterThan(600_000)
  })

  it("says that the environment is limited and that background processes end", () => {
    expect(shell.description).toMatch(/environment is limited/)
    expect(shell.description).toMatch(/Background processes are ended/)
  })

  it.effect("refuses a timeout over ten minutes, and an empty command", () =>
    Effect.gen(function* () {
      for (const input of [{ command: "" }, { command: "x", timeoutMs: 600_001 }, { command: "x", timeoutMs: 0 }]) {
        const refused = yield* Effect.flip(shell.prepare(JSON.stringify(input)))
        expect(refused).toMatchObject({ _tag: "InputInvalid", tool: "shell" })
      }
    }).pipe(TestWorkspace.inFolder("/ws"), Effect.provide(NodeExec.layer()))
  )

  it.scopedLive("runs in the workspace, keeps both outputs in order, and reports the last line as progress", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.txt": "" })
      const told = yield* Ref.make<ReadonlyArray<string>>([])
      const progress = (text: string) => Ref.update(told, (before) => [...before, text])
      const text = yield* shell
        .invoke({ command: "pwd; ls; echo oops >&2; exit 4" })
        .pipe(TestWorkspace.inFolder(workdir, progress))
      expect(text).toBe(`${workdir}\na.txt\noops\n[exit code 4]`)
      expect((yield* Ref.get(told)).at(-1)).toBe("oops")
    }).pipe(Effect.provide(NodeExec.layer()))
  )

  it.scopedLive("cuts long output and stops a command at its timeout", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const call = (command: string, timeoutMs: number) =>
        shell.invoke({ command, timeoutMs }).pipe(TestWorkspace.inFolder(workdir))
      const long = yield* call("seq 1 200000; echo end", 60_000)
      expect(long.length).toBeLessThan(29_000)
      expect(long.startsWith("1\n2\n")).toBe(true)
      expect(long.endsWith("200000\nend\n[exit code 0]")).toBe(true)
      expect(yield* call("echo begun; sleep 600", 300)).toBe("begun\n[timed out after 300 ms and was stopped]")
    }).pipe(Effect.provide(NodeExec.layer()))
  )

  it.scopedLive("leaves no process behind when interrupted", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make()
      const begun = yield* Deferred.make<void>()
      const progress = () => Effect.asVoid(Deferred.succeed(begun, undefined))
      const command = "sleep 600 & echo $! > pid; echo $$ >> pid; echo begun; wait"
      const fiber = yield* Effect.fork(shell.invoke({ command }).pipe(TestWorkspace.inFolder(workdir, progress)))
      yield* Deferred.await(begun)
      const pids = (yield* Effect.promise(() => readFile(at("pid"), "utf8"))).trim().split("\n").map(Number)
      expect(pids.map(isRunning)).toEqual([true, true])
      yield* Fiber.interrupt(fiber)
      expect(pids.map(isRunning)).toEqual([false, false])
    }).pipe(Effect.provide(NodeExec.layer()))
  )

  it.scopedLive("keeps unlisted variables of the engine from a command", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      yield* Effect.acquireRelease(
        Effect.sync(() => (process.env["SKEIN_TEST_API_KEY"] = "canary-81f3")),
        () => Effect.sync(() => delete process.env["SKEIN_TEST_API_KEY"])
      )
      const seen = yield* shell
        .invoke({ command: 'env; echo "home=$HOME"' })
        .pipe(TestWorkspace.inFolder(workdir), Effect.provide(NodeExec.layer()))
      expect(seen).toContain(`home=${process.env["HOME"] ?? ""}`)
      expect(seen).not.toContain("canary-81f3")
    })
  )
})
