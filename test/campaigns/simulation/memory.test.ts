/** A few interleavings each time; `npm run simulate` plays any number. */
import { assert, describe, it } from "@effect/vitest"
import * as Coverage from "./Coverage.js"
import * as Seeds from "./Seeds.js"
import { simulate } from "./Simulation.js"
import * as Stores from "./Stores.js"

describe("simulation over storage in memory", () => {
  it("P1 to P8, P10 to P12 hold with two engines and kills", async () => {
    const played = await Seeds.play(Stores.memory, 80, Coverage.situations)
    assert.deepStrictEqual(played, { failures: [], missing: [] })
  })

  it("a seed always plays the same interleaving, and another seed another one", async () => {
    assert.strictEqual(await Seeds.interleavings(Stores.memory, 7, 4), 1)
    assert.notStrictEqual(simulate(8, Stores.memory).fingerprint, simulate(9, Stores.memory).fingerprint)
  })
})
