/** The process that a screen belongs to: its streams, and what its terminal does with it. */
import { readFileSync } from "node:fs"
import type { Readable, Writable } from "node:stream"

/** Signals that a terminal sends for keys. */
export type Signal = "SIGINT" | "SIGQUIT" | "SIGTSTP"

/** The process exits, fails with an uncaught error, or goes on after it was stopped. */
type Event = "exit" | "uncaughtExceptionMonitor" | "SIGCONT"

export interface Output extends Writable {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export interface Host {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Whether this job has the terminal. */
  readonly isForeground: () => boolean
  /** Whether the signal would end the process immediately. */
  readonly isFatal: (signal: Signal) => boolean
  /** Sends a signal to each process of the job. */
  readonly signal: (signal: Signal) => void
  /** Calls the listener at each such event until the returned function is called. */
  readonly on: (event: Event, listener: () => void) => () => void
}

/** The fields of /proc/self/stat after the command's name, which may hold blanks and brackets. */
const statFields = (): ReadonlyArray<string> => {
  const stat = readFileSync("/proc/self/stat", "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/** When the system does not say, a process is taken to be in the foreground. */
const isForeground = (): boolean => {
  try {
    const [, , group, , , terminalGroup] = statFields()
    return terminalGroup === "-1" || terminalGroup === group
  } catch {
    return true
  }
}

/** This process. */
export const node = (): Host => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isForeground,
  isFatal: (signal) => signal !== "SIGTSTP" && process.listenerCount(signal) === 0,
  signal: (signal) => void process.kill(0, signal),
  on: (event, listener) => {
    process.on(event, listener)
    return () => void process.removeListener(event, listener)
  }
})
