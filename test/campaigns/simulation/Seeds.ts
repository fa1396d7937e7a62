/** Many seeds, one after the other; between them the test runner gets a turn. */
import { setImmediate } from "node:timers/promises"
import { simulate } from "./Simulation.js"
import type { Store } from "./Stores.js"

/** Plays `count` seeds from `from` on; gives what is broken, by seed. */
export const failures = async (store: Store, from: number, count: number): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  for (let seed = from; seed < from + count; seed++) {
    const { failure } = simulate(seed, store)
    if (failure !== null) found.push(`seed ${seed}: ${failure}`)
    await setImmediate()
  }
  return found
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
