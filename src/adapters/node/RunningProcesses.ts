/**
 * The processes of this host, as Linux shows them in /proc. Elsewhere none are seen. A process is known by a variable of
 * the environment that it was started with; those of other users do not show theirs.
 */
import { Effect, Option } from "effect"
import { readdir, readFile } from "node:fs/promises"
import * as ProcessStat from "./ProcessStat.js"

/** The processes that run now. Those that have ended and were not yet reaped do not count. */
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

const carries = ({ value, variable }: Mark, pid: number): Effect.Effect<boolean> =>
  Effect.tryPromise(() => readFile(`/proc/${pid}/environ`, "latin1")).pipe(
    Effect.map((environment) => environment.split("\0").includes(`${variable}=${value}`)),
    Effect.orElseSucceed(() => false)
  )

/** Those that carry a mark, but for this process and its group: it may itself have been started by what it looks for. */
export const marked = (mark: Mark): Effect.Effect<ReadonlyArray<ProcessStat.ProcessStat>> =>
  Effect.flatMap(all, (running) => {
    const own = running.find(({ pid }) => pid === process.pid)?.group
    const others = running.filter(({ group }) => group !== own)
    return Effect.filter(others, ({ pid }) => carries(mark, pid), { concurrency: 16 })
  })
