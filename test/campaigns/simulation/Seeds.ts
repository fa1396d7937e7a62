/** Plays many seeds, one after the other; between them the test runner gets a turn. */
import { setImmediate } from "node:timers/promises"
import * as Coverage from "./Coverage.js"
import { simulate } from "./Simulation.js"
import type { Store } from "./Stores.js"

/** The result of many seeds. */
interface Played {
  /** What is broken, by seed. */
  readonly failures: ReadonlyArray<string>
  /** What no seed came across. */
  readonly missing: ReadonlyArray<Coverage.Occurrence>
}

/**
 * Plays `count` seeds, beginning with 1. Goes on, up to ten times as many, while something in `expected` has not
 * occurred: any change of the engine changes what every seed does, so that rare events come earlier or later.
 */
export const play = async (
  store: Store,
  count: number,
  expected: ReadonlyArray<Coverage.Occurrence>
): Promise<Played> => {
  const failures: Array<string> = []
  const counts = new Map<Coverage.Occurrence, number>()
  const goesOn = (seed: number) =>
    seed <= count || (seed <= count * 10 && Coverage.missing(counts, expected).length > 0)
  for (let seed = 1; goesOn(seed); seed++) {
    const outcome = simulate(seed, store)
    if (outcome.failure !== null) failures.push(`seed ${seed}: ${outcome.failure}`)
    for (const [occurrence, times] of outcome.counts) counts.set(occurrence, (counts.get(occurrence) ?? 0) + times)
    await setImmediate()
  }
  return { failures, missing: Coverage.missing(counts, expected) }
}

/** Plays one seed `times` times; returns how many different interleavings this produced. */
export const interleavings = async (store: Store, seed: number, times: number): Promise<number> => {
  const seen = new Set<number>()
  for (let time = 0; time < times; time++) {
    seen.add(simulate(seed, store).fingerprint)
    await setImmediate()
  }
  return seen.size
}
