/**
 * Points at which a process can be killed. Those of its own making are crossed in JavaScript and counted by itself;
 * calls on its files are counted by `killpoints.c`, which is preloaded into it. A point's name says the side, before or
 * after; the how manieth crossing is a number from 1.
 */
import { Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as SharedLibrary from "../../support/programs/SharedLibrary.js"

/** Crossed in JavaScript. `statement`: one that is run while the database is opened. `announced`: a line was printed. */
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

/** Where a process is to die. */
export interface Point {
  readonly name: string
  readonly at: number
}

export const isOwn = Schema.is(Own)

/** Points of system calls, by name; one call has several. */
const ofCalls: ReadonlyArray<string> = [...calls.flatMap((call) => [`${call} before`, `${call} after`]), "write amid"]

export type Counts = Readonly<Record<string, number>>

/** Whether the library can be had. */
export const canCountCalls = SharedLibrary.isPossible

/** Found from the bundle of `main.ts` as well. */
const source = fileURLToPath(new URL("../../../test/campaigns/torture/killpoints.c", import.meta.url))

const compile = SharedLibrary.compiler(source)

/** The environment of a process whose calls below `root` are counted in the file `counts`, and that may die at one. */
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

/** How often each point of a call was crossed, as the file `counts` says. */
export const crossed = (counts: string): Counts => {
  if (!canCountCalls) return {}
  const bytes = readFileSync(counts)
  const times = (name: string) => Number(bytes.readBigInt64LE(8 * calls.findIndex((call) => name.startsWith(call))))
  return Object.fromEntries(ofCalls.map((name) => [name, times(name)]))
}
