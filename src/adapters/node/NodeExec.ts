/**
 * `Exec` by Node. Each command is the leader of a process group of its own, without a terminal.
 *
 * 1. The command ends by itself: the rest of its group is ended too, and the result says so. A background process thus
 *    neither holds up the call through the output that it has inherited nor outlives it. A process that left the group
 *    on purpose goes on.
 * 2. Timeout or interruption: the group is asked to end and killed after a grace time. On Linux, processes that left it
 *    are killed as well.
 * 3. Either way the call then reads the output to its end. When nothing more comes and the output is still open, a
 *    process that left the group holds it: the call does not wait for it, and the result says that output may be missing.
 *
 * A command that runs for a call carries the call's id as `SKEIN_CALL`: processes that outlive this one are found by
 * it.
 *
 * A listener that is too slow for its output is left behind: the output is kept all the same.
 *
 * A shell's two outputs share one pipe, so their order is kept. A program that is run without a shell has two pipes,
 * and their texts are put in the order in which they arrive.
 */
import { Deferred, Effect, Exit, Fiber, Layer, Option, Ref, Stream, identity } from "effect"
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { statSync } from "node:fs"
import * as Excerpt from "../../domain/Excerpt.js"
import { Exec, ExecFailed } from "../../services/Exec.js"
import type { Command, Completion } from "../../services/Exec.js"
import * as OneByOne from "../../services/OneByOne.js"
import * as Tool from "../../services/Tool.js"
import { codeOf } from "../ErrorCode.js"
import { defaultShell } from "./DefaultShell.js"
import * as ExecEnvironment from "./ExecEnvironment.js"
import * as NodeCallProcesses from "./NodeCallProcesses.js"
import * as ProcessGroup from "./ProcessGroup.js"
import * as ProcessOutput from "./ProcessOutput.js"

/** How commands are run. */
export interface Options {
  /** Further variables of the engine's environment that commands get. Defaults to none. */
  readonly inherit?: ReadonlyArray<string>
  /** The shell for texts, a POSIX one. Defaults to bash, else sh; on Windows to the command interpreter. */
  readonly shell?: string
  /** Milliseconds between being asked to end and being killed. Defaults to 500. */
  readonly graceMillis?: number
}

/**
 * Milliseconds without any output after which an ended command's output is given up, and the number of such periods
 * after which it is given up anyway.
 */
const drainMillis = 1_000
const maxDrains = 10

interface Program {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly verbatim: boolean
}

const programOf = (command: Command["command"], shell: string): Program => {
  if (typeof command !== "string") return { file: command[0], args: command.slice(1), verbatim: false }
  return process.platform === "win32"
    ? { file: shell, args: ["/d", "/s", "/c", `"${command}"`], verbatim: true }
    : { file: shell, args: ["-c", 'exec "$0" -c "$1" 2>&1', shell, command], verbatim: false }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

const startFailure = (cwd: string, cause: unknown): ExecFailed => {
  const code = codeOf(cause)
  if (code === "ERR_INVALID_ARG_VALUE") return new ExecFailed({ reason: "invalid", detail: "" })
  if (!isFolder(cwd)) return new ExecFailed({ reason: "no-folder", detail: cwd })
  if (code === "ENOENT") return new ExecFailed({ reason: "not-found", detail: "" })
  return new ExecFailed({ reason: code === "EACCES" ? "no-access" : "failed", detail: code })
}

type Ending = Pick<Completion, "exitCode" | "signal">

/** For a process that hangs in a system call and will end at some later time. */
const unkillable: Ending = { exitCode: null, signal: "SIGKILL" }

interface Child {
  readonly outputs: ReadonlyArray<ProcessOutput.ProcessOutput>
  readonly group: ProcessGroup.ProcessGroup
  readonly ended: Deferred.Deferred<Ending>
}

/** A command that runs for a call carries the call's mark too. */
const callMark: Effect.Effect<{ readonly [name: string]: string }> = Effect.map(
  Effect.serviceOption(Tool.Call),
  (call) =>
    Option.match(call, {
      onNone: () => ({}),
      onSome: ({ callId }) => {
        const { value, variable } = NodeCallProcesses.markOf(callId)
        return { [variable]: value }
      }
    })
)

const start = (
  { command, cwd, env }: Command,
  shell: string,
  environment: { readonly [name: string]: string }
): Effect.Effect<Child, ExecFailed> =>
  Effect.flatMap(Deferred.make<Ending>(), (ended) =>
    Effect.async<Child, ExecFailed>((resume) => {
      const failed = (cause: unknown) => resume(Effect.fail(startFailure(cwd, cause)))
      const mark = { variable: "SKEIN_EXEC", value: randomUUID() }
      const { args, file, verbatim } = programOf(command, shell)
      try {
        const child = spawn(file, args, {
          cwd,
          env: { ...environment, ...env, [mark.variable]: mark.value },
          stdio: ["ignore", "pipe", "pipe"],
          detached: process.platform !== "win32",
          windowsHide: true,
          windowsVerbatimArguments: verbatim
        })
        const outputs = [ProcessOutput.attach(child.stdout), ProcessOutput.attach(child.stderr)]
        child.on("error", failed)
        child.once("exit", (exitCode, signal) => Deferred.unsafeDone(ended, Effect.succeed({ exitCode, signal })))
        child.once("spawn", () => {
          resume(Effect.succeed({ outputs, group: { id: child.pid ?? 0, mark }, ended }))
        })
      } catch (cause) {
        failed(cause)
      }
    })
  )

/**
 * Waits for the end of an ended command's output, as long as more of it comes. Returns whether the end was reached.
 */
const drain = Effect.fnUntraced(function* (reading: Fiber.Fiber<void>, arrived: () => number) {
  for (let round = 0; round < maxDrains; round++) {
    const before = arrived()
    const isDone = Option.isSome(yield* Effect.timeoutOption(Fiber.await(reading), drainMillis))
    if (isDone || arrived() === before) return isDone
  }
  return false
})

const make = (options: Options) =>
  Effect.sync(() => {
    const shell = options.shell ?? defaultShell()
    const graceMillis = options.graceMillis ?? 500
    const environment = ExecEnvironment.make(process.platform, process.env, options.inherit ?? [])

    const run = Effect.fn("Exec.run")(function* (command: Command) {
      const env = { ...command.env, ...(yield* callMark) }
      const child = yield* Effect.acquireRelease(start({ ...command, env }, shell, environment), ({ group }, exit) =>
        Exit.isSuccess(exit) ? Effect.void : ProcessGroup.endAll(group, graceMillis)
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => child.outputs.forEach(({ close }) => close())))
      const excerpt = yield* Ref.make(Excerpt.empty(command.maxBytes))
      const telling = OneByOne.make()
      const arrived = () => child.outputs.reduce((sum, output) => sum + output.arrived(), 0)
      const read = (onOutput: (text: string) => Effect.Effect<void>) =>
        Effect.forEach(
          child.outputs,
          ({ text }) =>
            Stream.runForEach(text, (piece) =>
              Effect.zipRight(
                Ref.update(excerpt, (before) => Excerpt.append(before, piece)),
                onOutput(piece)
              )
            ),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.forkScoped)
      const { onOutput } = command
      const reading = yield* read((text) => (onOutput === undefined ? Effect.void : telling(onOutput(text))))
      const inTime = yield* Effect.timeoutOption(Deferred.await(child.ended), command.timeoutMillis)
      const endedOthers = Option.isSome(inTime)
        ? yield* ProcessGroup.endRest(child.group.id, graceMillis)
        : yield* Effect.as(ProcessGroup.endAll(child.group, graceMillis), false)
      let isComplete = yield* drain(reading, arrived)
      if (!isComplete) {
        // The listener may be holding it up.
        yield* Fiber.interruptFork(reading)
        isComplete = yield* drain(yield* read(() => Effect.void), arrived)
      }
      const { exitCode, signal } = yield* Deferred.await(child.ended).pipe(
        Effect.timeoutTo({ duration: drainMillis, onTimeout: () => unkillable, onSuccess: identity })
      )
      const { text, truncatedBytes } = Excerpt.result(yield* Ref.get(excerpt))
      return {
        exitCode,
        signal,
        output: text,
        truncatedBytes,
        isComplete,
        timedOut: Option.isNone(inTime),
        endedOthers
      }
    }, Effect.scoped)

    return { run }
  })

/** Runs the commands of the `shell` tool, and ends what they leave running. */
export const layer = (options: Options = {}): Layer.Layer<Exec> => Layer.effect(Exec, make(options))
