/** How commands of calls run in terminals that are another program's: as the shell of `NodeExec` runs them, on its terms. */
import type { CallId } from "../../domain/Message.js"
import { defaultShell } from "./DefaultShell.js"
import * as ExecEnvironment from "./ExecEnvironment.js"
import * as NodeCallProcesses from "./NodeCallProcesses.js"

export interface TerminalCommands {
  /** The program and its arguments for a command line, which has no input. */
  readonly argv: (command: string) => readonly [program: string, ...args: ReadonlyArray<string>]
  /** Variables to set for a command of a call: empty ones for all that the shell passes on to no command. */
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
