/**
 * Processes for tests: a real program that is started, read line by line, stopped, continued or killed. Nothing waits
 * for a fixed time: a test reads lines until the one that it wants.
 */
import { Deferred, Effect, Option, Queue } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"

/** @internal */
export interface ProcessEnd {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningProcess {
  readonly pid: number
  /** The next line of stdout. None once stdout has ended. */
  readonly line: Effect.Effect<Option.Option<string>>
  /** The next line of stderr. None once stderr has ended. */
  readonly errorLine: Effect.Effect<Option.Option<string>>
  /** Writes a line to its stdin. */
  readonly say: (line: string) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Closes the reading end of its stdout. */
  readonly stopReading: Effect.Effect<void>
  readonly ended: Effect.Effect<ProcessEnd>
}

export interface Options {
  readonly cwd?: string
  /** The whole environment. Defaults to the test's own. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether stdin stays open for `say`. Defaults to false: the program reads the end of stdin immediately. */
  readonly talks?: boolean
}

const linesOf = (input: Readable) =>
  Effect.tap(Queue.unbounded<Option.Option<string>>(), (lines) =>
    Effect.sync(() => {
      createInterface({ input })
        .on("line", (line) => Queue.unsafeOffer(lines, Option.some(line)))
        .on("close", () => Queue.unsafeOffer(lines, Option.none()))
    })
  )

/** Starts a program. Kills it when the scope closes. */
export const start = (
  command: string,
  args: ReadonlyArray<string>,
  { cwd, env, talks = false }: Options = {}
): Effect.Effect<RunningProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<ProcessEnd>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(command, [...args], { cwd, env: env === undefined ? process.env : { ...env }, stdio: "pipe" })
      ),
      (child) => Effect.sync(() => void (child.exitCode === null && child.kill("SIGKILL")))
    )
    let stdout = ""
    let stderr = ""
    // Nothing more can be written to a program that was killed.
    child.stdin.on("error", () => {})
    if (!talks) child.stdin.end()
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    const lines = yield* linesOf(child.stdout)
    const errorLines = yield* linesOf(child.stderr)
    child.on("close", (code, signal) => Deferred.unsafeDone(ended, Effect.succeed({ code, signal, stdout, stderr })))
    return {
      pid: child.pid ?? 0,
      line: Queue.take(lines),
      errorLine: Queue.take(errorLines),
      say: (line) => Effect.sync(() => void child.stdin.write(`${line}\n`)),
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      stopReading: Effect.sync(() => child.stdout.destroy()),
      ended: Deferred.await(ended)
    } satisfies RunningProcess
  })
