/**
 * Running a program of the host. A run is bounded in time and in how much of its output is kept. Nothing that it
 * started in its process group outlives it, whether it ends by itself, by its time limit or by an interruption.
 *
 * Not guaranteed: confinement. A command can do whatever the user can. From the engine's environment it sees only the
 * variables on an allow list.
 */
import { Context, Schema } from "effect"
import type { Effect } from "effect"

/** The program did not start: nothing ran. The error holds no part of the command. */
export class ExecFailed extends Schema.TaggedError<ExecFailed>()("ExecFailed", {
  /** `no-folder`: `cwd` is not a folder. `not-found`, `no-access`: of the program. `invalid`: such as a NUL byte. */
  reason: Schema.Literal("no-folder", "not-found", "no-access", "invalid", "failed"),
  detail: Schema.String
}) {
  override get message() {
    if (this.reason === "no-folder") return `The command did not start: the folder ${this.detail} is gone`
    return `The command did not start: ${this.reason}${this.detail === "" ? "" : ` (${this.detail})`}`
  }
}

export interface Command {
  /** A text for the host's shell, or a program and its arguments without one. */
  readonly command: string | readonly [program: string, ...args: ReadonlyArray<string>]
  /** Absolute path of the folder to run in. */
  readonly cwd: string
  /** Variables on top of those that are passed on anyway. */
  readonly env?: { readonly [name: string]: string }
  readonly timeoutMillis: number
  /** Bytes of output to keep: its beginning and its end. */
  readonly maxBytes: number
  /**
   * Receives all output as it comes, in whole characters, before it is cut. If it is slow, the program waits for it.
   */
  readonly onOutput?: (text: string) => Effect.Effect<void>
}

export interface Completion {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  /** Such as "SIGKILL". */
  readonly signal: string | null
  /** What the command wrote to both outputs, in order as far as that is known; a line marks what is missing. */
  readonly output: string
  /** Bytes that are missing from `output`. */
  readonly truncatedBytes: number
  /** False when a process that outlived the command still held its outputs, so that more may have come later. */
  readonly isComplete: boolean
  /** The time limit was reached: the command was ended, with everything that it had started. */
  readonly timedOut: boolean
  /** The command ended by itself but left processes running in its group, which were then ended. */
  readonly endedOthers: boolean
}

export interface Service {
  /** Runs a command to its end; its input is empty. A failing command is a result, not an error. */
  readonly run: (command: Command) => Effect.Effect<Completion, ExecFailed>
}

export class Exec extends Context.Tag("skein/Exec")<Exec, Service>() {}
