/**
 * The names of folders without links. They are looked up at the same time and remembered for two seconds.
 *
 * Nobody waits for a lookup once it takes longer than a second, such as on a network mount that is gone, and it is not
 * begun again before it ends. Meanwhile the name that was known before counts; without one the name is unknown.
 */
import { Clock, Effect } from "effect"
import * as Fs from "node:fs/promises"

const freshMillis = 2_000
const patienceMillis = 1_000
const mostRemembered = 10_000

interface Lookup {
  readonly begun: number
  /** Null while it is unknown. */
  name: string | null
  /** Null when it has ended. */
  underWay: Promise<void> | null
}

export interface RealNames {
  /** The names of folders, by their paths, without those that are unknown. A folder that is missing keeps its name. */
  readonly of: (paths: ReadonlySet<string>) => Effect.Effect<ReadonlyMap<string, string>>
}

/** Remembers nothing yet. */
export const make = (realpath: (path: string) => Promise<string> = Fs.realpath): RealNames => {
  const lookups = new Map<string, Lookup>()

  const begin = (path: string, now: number): Lookup => {
    const lookup: Lookup = { begun: now, name: lookups.get(path)?.name ?? null, underWay: null }
    lookup.underWay = realpath(path)
      .catch(() => path)
      .then((name) => {
        lookup.name = name
        lookup.underWay = null
      })
    lookups.delete(path)
    lookups.set(path, lookup)
    const [oldest = path] = lookups.keys()
    if (lookups.size > mostRemembered) lookups.delete(oldest)
    return lookup
  }

  const lookUp = (path: string, now: number): Lookup => {
    const last = lookups.get(path)
    return last === undefined || (last.underWay === null && now - last.begun >= freshMillis) ? begin(path, now) : last
  }

  const of = Effect.fnUntraced(function* (paths: ReadonlySet<string>) {
    const now = yield* Clock.currentTimeMillis
    const all = Array.from(paths, (path) => ({ path, lookup: lookUp(path, now) }))
    const awaited = all.flatMap(({ lookup: { begun, underWay } }) =>
      underWay !== null && now - begun < patienceMillis ? [underWay] : []
    )
    if (awaited.length > 0)
      yield* Effect.timeoutOption(
        Effect.promise(() => Promise.all(awaited)),
        patienceMillis
      )
    return new Map(all.flatMap(({ lookup: { name }, path }) => (name === null ? [] : [[path, name] as const])))
  })

  return { of }
}
