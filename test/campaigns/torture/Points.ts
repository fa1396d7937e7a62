/**
 * Points at which a process can be killed. A process crosses its own points in JavaScript and counts them itself; calls
 * on its files are counted by `killpoints.c`, which is preloaded into the process. The name of a point includes its
 * side, before or after; crossings are numbered from 1.
 */
import { Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as SharedLibrary from "../../support/programs/SharedLibrary.js"

/**
 * Crossed in JavaScript. `statement`: a statement that is run while the database is opened. `announced`: a line was
 * printed.
 */
export const Own = Schema.Literal(
  "commit before",
  "commit after",
  "statement before",
  "statement after",
  "model asked",
  "tool entered",
  "tool left",
  "result told",
  "announced"
)
export type Own = typeof Own.Type

/** In the order in which the library counts them. */
const calls = ["open", "write", "sync", "truncate", "rename", "unlink", "mkdir", "rmdir"] as const

/** Where a process must die. */
export interface Point {
  readonly name: string
  readonly at: number
}

export const isOwn = Schema.is(Own)

/** The names of the points of system calls; each call has several points. */
const ofCalls: ReadonlyArray<string> = [...calls.flatMap((call) => [`${call} before`, `${call} after`]), "write amid"]

export type Counts = Readonly<Record<string, number>>

/** Whether the library can be compiled and preloaded. */
export const canCountCalls = SharedLibrary.isPossible

/** Also found from the bundle of `main.ts`. */
const source = fileURLToPath(new URL("../../../test/campaigns/torture/killpoints.c", import.meta.url))

const compile = SharedLibrary.compiler(source)

/**
 * The environment of a process whose calls below `root` are counted in the file `counts`, and that may die at one of
 * them.
 */
export const environment = (root: string, counts: string, point: Point | null): Readonly<Record<string, string>> => {
  if (!canCountCalls) return {}
  writeFileSync(counts, Buffer.alloc(8 * calls.length))
  const deadly = point === null || isOwn(point.name) ? null : point
  const [call = "", when = ""] = deadly?.name.split(" ") ?? []
  return {
    LD_PRELOAD: compile(),
    KILL_ROOT: root,
    KILL_COUNTS: counts,
    ...(deadly === null ? {} : { KILL_CALL: call, KILL_WHEN: when, KILL_AT: `${deadly.at}` })
  }
}

/** How often each point of a system call was crossed, according to the file `counts`. */
export const crossed = (counts: string): Counts => {
  if (!canCountCalls) return {}
  const bytes = readFileSync(counts)
  const times = (name: string) => Number(bytes.readBigInt64LE(8 * calls.findIndex((call) => name.startsWith(call))))
  return Object.fromEntries(ofCalls.map((name) => [name, times(name)]))
}
