/** A few interleavings each time; `npm run simulate` plays any number. */
import { assert, describe, it } from "@effect/vitest"
import * as Coverage from "./Coverage.js"
import * as Seeds from "./Seeds.js"
import * as Stores from "./Stores.js"

describe("simulation over SQLite", () => {
  it("P1 to P8, P10 to P12 hold with faults, two engines and kills", async () => {
    const played = await Seeds.play(Stores.sqlite, 22, [...Coverage.faults, ...Coverage.situations])
    assert.deepStrictEqual(played, { failures: [], missing: [] })
  })

  it("a seed always plays the same interleaving", async () => {
    assert.strictEqual(await Seeds.interleavings(Stores.sqlite, 7, 4), 1)
  })
})
