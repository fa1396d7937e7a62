/** `shim.c`, compiled once, and the rules that a process under it obeys. The rules can be changed while it runs. */
import { Effect } from "effect"
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as SharedLibrary from "../../support/programs/SharedLibrary.js"
import { folder } from "../../unit/services/storage/disk.js"

export interface Rule {
  readonly call: "read" | "write" | "sync" | "truncate" | "rename" | "link" | "open" | "openr"
  /** Part of the path. */
  readonly path: string
  /** How many calls pass before. Defaults to 0. */
  readonly after?: number
  /** How many calls are affected. Defaults to all. */
  readonly times?: number
  readonly does: { readonly gives: Errno } | { readonly takesMillis: number } | "kill"
}

const errnos = { EIO: 5, EMFILE: 24, EROFS: 30 } as const
type Errno = keyof typeof errnos

/** One call on a file of the folder, or on stdout, in order. */
export interface Call {
  readonly call: string
  readonly file: string
  readonly descriptor: number
  /** "ok", or what the shim did. */
  readonly outcome: string
}

export interface Shim {
  /** Goes into the process's environment. */
  readonly env: Readonly<Record<string, string>>
  /** Takes effect immediately. */
  readonly set: (rules: {
    readonly rules?: ReadonlyArray<Rule>
    readonly clockSeconds?: number
    readonly trace?: boolean
  }) => void
  /** The calls that were made while a trace was kept. */
  readonly trace: () => ReadonlyArray<Call>
}

const compile = SharedLibrary.compiler(fileURLToPath(new URL("shim.c", import.meta.url)), "-lpthread")

const line = ({ call, does, path, after = 0, times = -1 }: Rule): string => {
  const action =
    does === "kill" ? "abort 0" : "gives" in does ? `errno ${errnos[does.gives]}` : `delay ${does.takesMillis}`
  return `${call} ${path} ${after} ${times} ${action}`
}

/** Room for the rules: how much of the file the process maps into its memory. */
const controlBytes = 4096

/** A shim for a process that works in this folder. It does nothing until rules are set. */
export const make = (root: string) =>
  Effect.map(folder, (own): Shim => {
    const control = join(own, "control")
    const trace = join(own, "trace")
    writeFileSync(trace, "")
    writeFileSync(control, Buffer.alloc(controlBytes))
    let version = 0
    return {
      env: { LD_PRELOAD: compile(), FAULTS_CONTROL: control, FAULTS_TRACE: trace, FAULTS_ROOT: root },
      set: ({ clockSeconds = 0, rules = [], trace = false }) => {
        version++
        const lines = [
          `v${version}`,
          `clock ${clockSeconds}`,
          ...(trace ? ["trace"] : []),
          ...rules.map(line),
          `end v${version}`,
          ""
        ]
        const bytes = Buffer.alloc(controlBytes)
        bytes.write(lines.join("\n"))
        const file = openSync(control, "r+")
        writeSync(file, bytes, 0, controlBytes, 0)
        closeSync(file)
      },
      trace: () =>
        readFileSync(trace, "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => {
            const [call = "", file = "", descriptor = "", outcome = ""] = line.split(" ")
            return { call, file, descriptor: Number(descriptor), outcome }
          })
    }
  })
