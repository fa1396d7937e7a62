/**
 * `shell`: a command for the host's shell, in the session's folder. Bounded in time and output by `Exec`, which ends
 * everything that the command started in its process group and passes none of the engine's keys to it.
 *
 * Where an editor steers the session and has terminals, the command runs in one of them, and the editor's user sees it.
 *
 * Not confined: the command can read and change whatever this process can, in the workspace and outside of it.
 */
import { Effect, Option, Schema } from "effect"
import { Exec } from "../../services/Exec.js"
import type { Completion } from "../../services/Exec.js"
import * as Tool from "../../services/Tool.js"
import * as Editors from "./Editors.js"
import { refuse } from "./FileErrors.js"
import * as Lines from "./Lines.js"
import * as ShellCommands from "./ShellCommands.js"

const defaultMillis = 120_000
const maxMillis = 600_000
const maxBytes = 28_000
const progressCharacters = 200

const outcome = ({ exitCode, signal, timedOut }: Completion, timeoutMs: number): string => {
  const end = exitCode === null ? `ended by ${signal ?? "a signal"}` : `exit code ${exitCode}`
  return timedOut ? `timed out after ${timeoutMs} ms and was stopped` : end
}

const format = (finished: Completion, timeoutMs: number): string => {
  const { endedOthers, isComplete, output } = finished
  const notes = [
    ...(isComplete ? [] : ["[output may be missing: a process that the command left behind still has it open]"]),
    ...(endedOthers ? ["[background processes were ended with the command]"] : []),
    `[${outcome(finished, timeoutMs)}]`
  ]
  const separator = output === "" || output.endsWith("\n") ? "" : "\n"
  return `${output}${separator}${notes.join("\n")}`
}

const lastLine = (text: string): string => {
  const line = text.trimEnd().split("\n").at(-1) ?? ""
  return Lines.window(line.trim(), 0, progressCharacters)
}

export const shell = Tool.make("shell", {
  description:
    "Runs a command in the workspace with the host's shell, without a terminal and without input. Returns its output, " +
    `with the middle cut beyond ${maxBytes} bytes, and its exit code. Background processes are ended when the command ` +
    "ends. The environment is limited: usual variables such as PATH, HOME, proxies and toolchain folders are set, keys " +
    "and all others are not.",
  kind: "execute",
  input: {
    command: Schema.String.pipe(Schema.minLength(1)).annotations({ description: "The command" }),
    timeoutMs: Schema.optionalWith(
      Schema.Int.pipe(Schema.between(1, maxMillis)).annotations({ description: "Time limit in milliseconds" }),
      { default: () => defaultMillis }
    )
  }
}).handle(
  Effect.fn("tools.shell")(function* ({ command, timeoutMs }) {
    const exec = yield* Exec
    const editor = yield* Editors.current
    const run = Option.match(editor, { onNone: () => exec.run, onSome: ({ run }) => run ?? exec.run })
    const { progress, workdir } = yield* Tool.Call
    if (workdir === null) return yield* refuse(".", "no-workspace")
    const finished = yield* run({
      command,
      cwd: workdir,
      timeoutMillis: timeoutMs,
      maxBytes,
      onOutput: (text) => {
        const line = lastLine(text)
        return line === "" ? Effect.void : progress(line)
      }
    })
    return format(finished, timeoutMs)
  }),
  { timeout: maxMillis + 60_000, title: ({ command }) => command, commands: ({ command }) => ShellCommands.of(command) }
)
