/**
 * The processes of this host, as Linux shows them in /proc. Elsewhere none are seen. A process is recognized by a
 * variable of the environment that it was started with; processes of other users do not show theirs.
 */
import { Effect, Option } from "effect"
import { readdir, readFile } from "node:fs/promises"
import * as ProcessStat from "./ProcessStat.js"

/** The processes that run now. Processes that have ended but were not yet reaped do not count. */
export const all: Effect.Effect<ReadonlyArray<ProcessStat.ProcessStat>> = Effect.tryPromise(() =>
  readdir("/proc")
).pipe(
  Effect.orElseSucceed((): ReadonlyArray<string> => []),
  Effect.flatMap((names) =>
    Effect.forEach(
      names.filter((name) => /^\d+$/.test(name)),
      (name) =>
        Effect.orElseSucceed(
          Effect.tryPromise(() => readFile(`/proc/${name}/stat`, "utf8")),
          () => ""
        ),
      { concurrency: 16 }
    )
  ),
  Effect.map((texts) =>
    texts.flatMap((text) => {
      const stat = ProcessStat.parse(text)
      return Option.isSome(stat) && !ProcessStat.hasEnded(stat.value) ? [stat.value] : []
    })
  )
)

/** A variable that processes inherit, and its value. */
export interface Mark {
  readonly variable: string
  readonly value: string
}

/** All except this process and its group: it may itself carry the mark that it looks for. */
const others = Effect.map(all, (running) => {
  const own = running.find(({ pid }) => pid === process.pid)?.group
  return running.filter(({ group }) => group !== own)
})

const environmentOf = (pid: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.tryPromise(() => readFile(`/proc/${pid}/environ`, "latin1")).pipe(
    Effect.map((environment) => environment.split("\0")),
    Effect.orElseSucceed(() => [])
  )

const carries = ({ value, variable }: Mark, pid: number): Effect.Effect<boolean> =>
  Effect.map(environmentOf(pid), (variables) => variables.includes(`${variable}=${value}`))

/** The processes that carry the variable, by its values, except this process and its group. */
export const byValue = (variable: string): Effect.Effect<ReadonlyMap<string, ReadonlyArray<ProcessStat.ProcessStat>>> =>
  Effect.gen(function* () {
    const running = yield* others
    const found = new Map<string, Array<ProcessStat.ProcessStat>>()
    const valueOf = ({ pid }: ProcessStat.ProcessStat) =>
      Effect.map(environmentOf(pid), (variables) => variables.find((text) => text.startsWith(`${variable}=`)))
    const values = yield* Effect.forEach(running, valueOf, { concurrency: 16 })
    running.forEach((one, place) => {
      const value = values[place]?.slice(variable.length + 1)
      if (value !== undefined) found.set(value, [...(found.get(value) ?? []), one])
    })
    return found
  })

/** The processes that carry a mark, except this process and its group. */
export const marked = (mark: Mark): Effect.Effect<ReadonlyArray<ProcessStat.ProcessStat>> =>
  Effect.flatMap(others, (running) => Effect.filter(running, ({ pid }) => carries(mark, pid), { concurrency: 16 }))
