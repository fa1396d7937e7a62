/** Many seeds, one after the other; between them the test runner gets a turn. */
import { setImmediate } from "node:timers/promises"
import type * as Coverage from "./Coverage.js"
import { simulate } from "./Simulation.js"
import type { Store } from "./Stores.js"

/** What many seeds came to. */
interface Played {
  /** What is broken, by seed. */
  readonly failures: ReadonlyArray<string>
  /** Of all seeds. */
  readonly counts: Coverage.Counts
}

/** Plays `count` seeds from `from` on. */
export const play = async (store: Store, from: number, count: number): Promise<Played> => {
  const failures: Array<string> = []
  const counts = new Map<Coverage.Occurrence, number>()
  for (let seed = from; seed < from + count; seed++) {
    const outcome = simulate(seed, store)
    if (outcome.failure !== null) failures.push(`seed ${seed}: ${outcome.failure}`)
    for (const [occurrence, times] of outcome.counts) counts.set(occurrence, (counts.get(occurrence) ?? 0) + times)
    await setImmediate()
  }
  return { failures, counts }
}

/** Plays one seed `times` times; gives how many different interleavings came of it. */
export const interleavings = async (store: Store, seed: number, times: number): Promise<number> => {
  const seen = new Set<number>()
  for (let time = 0; time < times; time++) {
    seen.add(simulate(seed, store).fingerprint)
    await setImmediate()
  }
  return seen.size
}
