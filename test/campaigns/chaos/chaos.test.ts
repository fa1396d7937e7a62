/** The short form of `npm run chaos`. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Postgres from "../../support/postgres/Postgres.js"
import * as Chaos from "./Chaos.js"
import * as Plan from "./Plan.js"

const options: Plan.Options = {
  seed: 4,
  millis: 21_000,
  sessions: 30,
  runners: 3,
  messageMillis: 10_000,
  faultMillis: 5_000,
  // Longer than it takes until another engine may take over a run.
  stopMillis: [13_000, 14_000],
  leaseMillis: 5_000,
  isByDefault: false,
  // A session that nobody goes on with is silent forever; how soon the next runner does is a matter of the machine.
  silenceMillis: 60_000,
  // So that each runner has some runs whenever it is stopped or killed.
  workMillis: 3_000,
  // So that some of those runs are not over yet when it wakes up.
  longEvery: 2,
  longCalls: 5
}

describe("A plan", () => {
  it("follows from the seed and has each kind of fault before any repeats; the short form has four kinds", () => {
    const kinds = Plan.faults(options).map(({ kind }) => kind)
    expect(kinds).toEqual(["join", "stop", "kill", "database"])
    const long = Plan.faults({ ...options, millis: 61_000 }).map(({ kind }) => kind)
    expect(long.slice(0, 6).toSorted()).toEqual([...Plan.kinds].toSorted())
    expect(Plan.faults({ ...options, seed: 2 })).not.toEqual(Plan.faults(options))
  })
})

Postgres.describe("P2 P4 P5 P9 chaos: runners that are killed, stopped, deployed and cut off", () => {
  it.scopedLive("settle each message once, run no call twice, and leave no session silent", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const logged: Array<string> = []
      const report = yield* Chaos.play(options, url, (text) => logged.push(text))
      const { ended, failure, faults, leases, messages, outlasted } = report
      expect(failure, logged.join("\n")).toBeNull()
      expect(faults.stop).toBe(1)
      expect(outlasted).toBeGreaterThan(0)
      expect(leases.released).toBeGreaterThan(0)
      expect(leases.lost).toBeGreaterThan(0)
      expect(messages).toBeGreaterThan(options.sessions)
      // On a slow machine more runs are taken over three times without progress.
      expect(ended?.ends.get("completed")).toBeGreaterThan(messages / 2)
    })
  )
})
