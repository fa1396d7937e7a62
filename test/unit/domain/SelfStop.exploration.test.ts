/**
 * An engine that stops its own runs, explored exhaustively: this engine and another one, on two hosts over one storage,
 * in every order of what may happen to them, to the signs of life and to their clocks. The rules are those that engines
 * run: `Liveness.mayGoOn` of the one, `Liveness.standing` and `Tenure` of the other.
 *
 * Time passes in steps, on each clock separately: either clock may run twice as fast as the other at any time. A sign
 * of life may be on its way forever, because the engine is cut off, and so may the confirmation that it is stored. A
 * stopped process does nothing; it reads its clock when it wakes up. The worlds are finite: the age of anything counts
 * only up to a bound.
 */
import { describe, expect, it } from "@effect/vitest"
import type { Beat } from "../../../src/domain/Lease.js"
import * as Liveness from "../../../src/domain/Liveness.js"
import * as Tenure from "../../../src/domain/Tenure.js"

const step = 1_000
const leaseMillis = 6 * step

interface World {
  readonly tenure: Tenure.Tenure
  /** How long ago the newest stored sign was given, on the owner's clock. */
  readonly signAge: number
  /** How long ago the newest sign was given that the owner knows to be stored. */
  readonly knownAge: number
  /** A sign on its way. */
  readonly sign: { readonly age: number; readonly isStored: boolean } | null
  /** Whether a tool of the owner's run is still working. */
  readonly works: boolean
  readonly stopped: boolean
  /** What the other engine saw; its times count back from now. */
  readonly watched: Liveness.LeaseWatch | null
}

interface Rules {
  /** Whether both have the same clock, like two processes of one host. */
  readonly sharesClock: boolean
  readonly mayGoOn: (age: number, leaseMillis: number) => boolean
  /** From when a stored sign counts for the engine that gave it. */
  readonly countsFrom: "given" | "heard"
}

const rules: Rules = { sharesClock: false, mayGoOn: Liveness.mayGoOn, countsFrom: "given" }

const isOver = (world: World): boolean => world.tenure.holder?.instance === "b"
/** Whether a tool still works after another engine has taken over the run. */
const overlaps = (world: World): boolean => world.works && !world.stopped && isOver(world)

const older = (age: number, by: number): number => Math.min(age + by, leaseMillis)
const back = (at: number, by: number): number => Math.max(at - by, -leaseMillis)

const next = (world: World, { countsFrom, mayGoOn, sharesClock }: Rules) => {
  const steps: Array<readonly [string, World]> = []
  const to = (label: string, changes: Partial<World>) => steps.push([label, { ...world, ...changes }])
  const { knownAge, sign, signAge, stopped, tenure, watched, works } = world
  const looked = (after: World): World => ({ ...after, works: after.works && mayGoOn(after.knownAge, leaseMillis) })

  for (const [own, others] of sharesClock
    ? ([[1, 1]] as const)
    : ([
        [1, 1],
        [1, 2],
        [2, 1]
      ] as const)) {
    const [own1, others1] = [own * step, others * step]
    const later: World = {
      ...world,
      signAge: older(signAge, own1),
      knownAge: older(knownAge, own1),
      sign: sign === null ? null : { ...sign, age: older(sign.age, own1) },
      watched:
        watched === null
          ? null
          : { ...watched, since: back(watched.since, others1), askedAt: back(watched.askedAt, others1) }
    }
    to(`time passes ${own}:${others}`, stopped ? later : looked(later))
  }

  if (stopped) to("the owner wakes up", looked({ ...world, stopped: false }))
  else {
    to("the owner is stopped", { stopped: true })
    if (sign === null) to("the owner gives a sign", { sign: { age: 0, isStored: false } })
    else {
      to("the owner does not hear of its sign", { sign: null })
      const age = countsFrom === "given" ? sign.age : 0
      if (sign.isStored)
        to("the owner hears that its sign is stored", { sign: null, knownAge: Math.min(knownAge, age) })
    }
    if (!works && Tenure.admits(tenure, 1)) to("the owner lets go", { tenure: Tenure.release(tenure) })
  }
  if (sign !== null && !sign.isStored) {
    const isHolder = tenure.holder?.instance === "a"
    const count = (tenure.holder?.count ?? 0) + 1
    to("the owner's sign is stored", {
      tenure: Tenure.renew(tenure, { instance: "a", count }),
      sign: { ...sign, isStored: true },
      signAge: isHolder ? sign.age : signAge
    })
  }

  const { holder } = tenure
  if (holder !== null && holder.instance !== "b") {
    const beat: Beat = { count: holder.count, sign: { clock: "a", at: -signAge }, leaseMillis, seenAt: null }
    const now = { clock: sharesClock ? "a" : "b", at: 0 }
    const standing: Liveness.Standing =
      holder.instance === ""
        ? { _tag: "Over", reason: "released" }
        : Liveness.standing("unknown", { beat, fence: tenure.fence }, now, watched, leaseMillis)
    if (standing._tag === "Over") {
      const seen = { fence: tenure.fence, count: holder.count }
      const over = Tenure.takeOver(tenure, seen, { instance: "b", count: 1 })
      if (over !== null) to("the other takes over", { tenure: over, watched: null })
    } else {
      to("the other looks", { watched: standing.watched })
      if (standing._tag === "Silent") to("the other asks", { watched: Liveness.asked(standing.watched, now) })
    }
  }
  return steps
}

/** Only whether two counts are equal matters; what was seen of an earlier count says nothing. */
const small = (world: World): World => {
  const { tenure, watched } = world
  if (tenure.holder === null) return world
  const isSeen = watched === null || watched.count === tenure.holder.count
  return {
    ...world,
    tenure: { ...tenure, holder: { ...tenure.holder, count: 1 } },
    watched: isSeen ? watched && { ...watched, count: 1 } : { fence: 1, count: 0, since: 0, asks: 0, askedAt: 0 }
  }
}

/** The run began `age` milliseconds ago, with a sign of life that was stored just now. */
const begun = (age: number): World => ({
  tenure: { fence: 1, holder: { instance: "a", count: 1 }, state: "live" },
  signAge: age,
  knownAge: age,
  sign: null,
  works: Liveness.mayGoOn(age, leaseMillis),
  stopped: false,
  watched: null
})

/** Counts all possible worlds, up to the first bad one, and returns the moves that led to it. */
const explore = (rules: Rules) => {
  const worlds = [0, 2, 3].map((age) => begun(age * step))
  const found = new Map(worlds.map((world) => [JSON.stringify(world), { label: "", from: "" }]))
  const labels = new Set<string>()
  for (const world of worlds) {
    const from = JSON.stringify(world)
    for (const [label, after] of next(world, rules)) {
      labels.add(label)
      const reached = small(after)
      const key = JSON.stringify(reached)
      if (found.has(key)) continue
      found.set(key, { label, from })
      if (overlaps(reached)) {
        const path: Array<string> = []
        for (let at = key; at !== ""; at = found.get(at)?.from ?? "") path.unshift(found.get(at)?.label ?? "")
        return { worlds: found.size, labels, overlap: path }
      }
      if (!isOver(reached) || reached.works) worlds.push(reached)
    }
  }
  return { worlds: found.size, labels, overlap: null }
}

describe("An engine that stops itself, in every interleaving with an engine of another host", () => {
  it.each([false, true])(
    "P9 many hosts: no tool still runs while another engine has the run (one clock: %s)",
    (shares) => {
      const { labels, overlap, worlds } = explore({ ...rules, sharesClock: shares })
      expect(overlap).toBeNull()
      expect(labels).toContain("the other takes over")
      expect(worlds).toBeGreaterThan(5_000)
    }
  )

  it("P9 many hosts: a tool would still run without the rule, or if signs counted from their confirmation", () => {
    expect(explore({ ...rules, mayGoOn: () => true }).overlap).not.toBeNull()
    expect(explore({ ...rules, countsFrom: "heard" }).overlap).not.toBeNull()
  })
})
