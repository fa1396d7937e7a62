/**
 * How commands of calls run in another program's terminals: as the shell of `NodeExec` runs them, under the same rules.
 */
import type { CallId } from "../../domain/Message.js"
import { defaultShell } from "./DefaultShell.js"
import * as ExecEnvironment from "./ExecEnvironment.js"
import * as NodeCallProcesses from "./NodeCallProcesses.js"

export interface TerminalCommands {
  /** The program and arguments that run a command line, without any input. */
  readonly argv: (command: string) => readonly [program: string, ...args: ReadonlyArray<string>]
  /** Variables to set for a command of a call. Variables that the shell would not pass on are set to an empty text. */
  readonly variables: (callId: CallId | null) => Readonly<Record<string, string>>
}

export const make = (inherit: ReadonlyArray<string>): TerminalCommands => {
  const shell = defaultShell()
  const kept = ExecEnvironment.make(process.platform, process.env, inherit)
  const hidden = Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (name in kept ? [] : [[name, ""] as const]))
  )
  return {
    argv: (command) =>
      process.platform === "win32" ? [shell, "/d", "/s", "/c", command] : [shell, "-c", `exec < /dev/null\n${command}`],
    variables: (callId) => {
      if (callId === null) return { ...hidden, ...ExecEnvironment.quiet }
      const { value, variable } = NodeCallProcesses.markOf(callId)
      return { ...hidden, ...ExecEnvironment.quiet, [variable]: value }
    }
  }
}
