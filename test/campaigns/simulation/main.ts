/**
 * `npm run simulate -- --seeds N [--from M] [--store memory|sqlite]`: plays N seeds and prints those that break a
 * promise. `--from M --seeds 1` replays a single seed.
 */
import type { Occurrence } from "./Coverage.js"
import { simulate } from "./Simulation.js"
import * as Stores from "./Stores.js"

const option = (name: string, otherwise: string): string => {
  const place = process.argv.indexOf(`--${name}`)
  return place === -1 ? otherwise : (process.argv[place + 1] ?? otherwise)
}

const seeds = Number(option("seeds", "100"))
const store = option("store", "sqlite") === "memory" ? Stores.memory : Stores.sqlite
const from = Number(option("from", "1"))
let failed = 0
const all = new Map<Occurrence, number>()
for (let seed = from; seed < from + seeds; seed++) {
  const { counts, failure, fingerprint, turns } = simulate(seed, store)
  for (const [occurrence, times] of counts) all.set(occurrence, (all.get(occurrence) ?? 0) + times)
  if (failure !== null) {
    failed++
    console.log(`seed ${seed}: ${failure}`)
  } else if (seeds === 1) console.log(`seed ${seed}: ${turns} turns, fingerprint ${fingerprint}`)
}
for (const [occurrence, times] of all) console.log(`${times} times ${occurrence}`)
console.log(`${seeds - failed} seeds held, ${failed} failed`)
// Fibers that wait forever, as those of killed processes do, would keep this process alive.
process.exit(failed === 0 ? 0 : 1)
