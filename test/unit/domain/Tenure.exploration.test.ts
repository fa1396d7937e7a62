/**
 * The moves of a lease explored exhaustively: two engines and everything that may happen to them, in every order up to
 * a bound. These are the moves that the in-memory store runs; every move of `Tenure` is among them.
 * An engine knows only what it was told: it may be stopped for any length of time between a check and an act.
 *
 * Storage may be held up for any length of time, too; no commit gets in then. An engine that wants to take a silent
 * engine's session asks it, by a commit, and then waits for longer than a running engine needs to give a sign.
 */
import { describe, expect, it } from "vitest"
import * as Tenure from "../../../src/domain/Tenure.js"

const engines = ["a", "b"] as const
type Name = (typeof engines)[number]

interface EngineState {
  /** The fencing number under which it believes to hold the session; null if it does not. */
  readonly fence: number | null
  /** What it saw about the session's holder when it last looked. */
  readonly seen: { readonly fence: number; readonly count: number } | null
  /** Whether it asked that holder for a sign, and whether the time for an answer is over. */
  readonly asked: "not" | "asked" | "unanswered"
  readonly stopped: boolean
  readonly wasStopped: boolean
}

interface World {
  readonly tenure: Tenure.Tenure
  readonly heldUp: boolean
  readonly a: EngineState
  readonly b: EngineState
}

const idle: EngineState = { fence: null, seen: null, asked: "not", stopped: false, wasStopped: false }
const start: World = { tenure: Tenure.free, heldUp: false, a: idle, b: idle }

const other = (name: Name): Name => (name === "a" ? "b" : "a")

/** Whether an engine could give a sign of life now, and so would answer when asked. */
const answers = (world: World, name: Name): boolean =>
  !world[name].stopped && !world.heldUp && world[name].fence !== null && writes(world, name)

/** Everything that may happen next, each with a label. */
const next = (world: World): ReadonlyArray<readonly [string, World]> => {
  const steps: Array<readonly [string, World]> = []
  const { heldUp, tenure } = world
  const to = (label: string, changes: Partial<World>) => steps.push([label, { ...world, ...changes }])
  /** A move that is a commit; left out if storage is held up or the move is refused. */
  const commit = (label: string, tenure: Tenure.Tenure | null, changes: Partial<World> = {}) => {
    if (tenure !== null && !heldUp) to(label, { ...changes, tenure })
  }
  for (const name of engines) {
    const engine = world[name]
    if (engine.stopped) {
      to(`${name} wakes up`, { [name]: { ...engine, stopped: false } })
      continue
    }
    to(`${name} is stopped`, { [name]: { ...engine, stopped: true, wasStopped: true } })
    const taken = Tenure.take(tenure, { instance: name, count: 1 })
    commit(`${name} takes`, taken, { [name]: { ...engine, fence: taken?.fence ?? null } })
    if (tenure.holder !== null && tenure.holder.instance !== name) {
      const seen = { fence: tenure.fence, count: tenure.holder.count }
      const isSame = seen.fence === engine.seen?.fence && seen.count === engine.seen.count
      to(`${name} looks`, { [name]: { ...engine, seen, asked: isSame ? engine.asked : "not" } })
    }
    if (engine.seen !== null) {
      if (engine.asked === "not") commit(`${name} asks`, tenure, { [name]: { ...engine, asked: "asked" } })
      if (engine.asked === "asked" && !heldUp && !answers(world, other(name))) {
        to(`${name} was not answered`, { [name]: { ...engine, asked: "unanswered" } })
      }
      // An engine that is dead or has released the run is not asked. What the other engine did since the look is left
      // open.
      if (engine.asked === "unanswered" || tenure.holder?.instance === "") {
        const over = Tenure.takeOver(tenure, engine.seen, { instance: name, count: 1 })
        const holding = { ...engine, seen: null, asked: "not" as const, fence: over?.fence ?? null }
        commit(`${name} takes over`, over, { [name]: holding })
      }
    }
    if (engine.fence !== null) {
      const count = (tenure.holder?.count ?? 0) + 1
      commit(`${name} gives a sign of life`, Tenure.renew(tenure, { instance: name, count }))
      if (Tenure.admits(tenure, engine.fence)) {
        commit(`${name} ends its run`, Tenure.end(tenure), { [name]: { ...engine, fence: null } })
        // It may not know that its release was stored, and still believe that it holds the session.
        commit(`${name} releases its run`, Tenure.release(tenure))
      }
    }
  }
  if (tenure.state === "live") commit("deletion begins", Tenure.beginDeletion(tenure))
  commit("the session is removed", Tenure.remove(tenure))
  to(heldUp ? "storage takes commits again" : "storage is held up", { heldUp: !heldUp })
  return steps
}

/** Counts of signs and fencing numbers are bounded by the depth, so the worlds are finite. */
const keyOf = (world: World): string => JSON.stringify(world)

const depth = 10

const explore = (check: (before: World, label: string, after: World) => void): number => {
  let frontier = new Map([[keyOf(start), start]])
  const known = new Set(frontier.keys())
  for (let round = 0; round < depth; round++) {
    const further = new Map<string, World>()
    for (const world of frontier.values()) {
      for (const [label, after] of next(world)) {
        check(world, label, after)
        const key = keyOf(after)
        if (known.has(key)) continue
        known.add(key)
        further.set(key, after)
      }
    }
    frontier = further
  }
  return known.size
}

const writes = (world: World, name: Name): boolean => {
  const { fence } = world[name]
  return fence !== null && Tenure.admits(world.tenure, fence)
}

describe("Lease, every interleaving of two engines", () => {
  it("P9 one engine: at most one engine's writes count, and that engine is the newest holder", () => {
    const worlds = explore((_, __, after) => {
      expect(writes(after, "a") && writes(after, "b")).toBe(false)
      for (const name of engines) if (writes(after, name)) expect(after.tenure.holder?.instance).toBe(name)
    })
    expect(worlds).toBeGreaterThan(2_000)
  })

  it("P9 one engine: an engine whose run was taken over never writes again under its old fencing number", () => {
    explore((before, label, after) => {
      for (const name of engines) {
        if (label !== `${name} takes over`) continue
        expect(writes(before, other(name)) && writes(after, other(name))).toBe(false)
        expect(after.tenure.fence).toBeGreaterThan(before.tenure.fence)
      }
    })
  })

  it("P9 a released run still blocks its session, but nobody writes to it, and an engine takes it over", () => {
    const labels = new Set<string>()
    explore((before, label, after) => {
      labels.add(label)
      if (!label.endsWith("releases its run")) return
      for (const name of engines) expect(writes(after, name)).toBe(false)
      expect(Tenure.take(after.tenure, { instance: "a", count: 1 })).toBeNull()
      expect(after.tenure.fence).toBeGreaterThan(before.tenure.fence)
    })
    expect(labels).toContain("a takes over")
  })

  it("P9 an engine that was never stopped keeps its run, however long storage is held up", () => {
    explore((before, label) => {
      for (const name of engines) {
        const holder = before.tenure.holder?.instance
        if (label === `${name} takes over` && holder === other(name)) expect(before[holder].wasStopped).toBe(true)
      }
    })
  })

  it("P9 fencing numbers never fall, and no two holders ever have the same one", () => {
    explore((before, _, after) => {
      expect(after.tenure.fence).toBeGreaterThanOrEqual(before.tenure.fence)
      const { holder } = after.tenure
      if (holder !== null && holder.instance !== before.tenure.holder?.instance) {
        expect(after.tenure.fence).toBeGreaterThan(before.tenure.fence)
      }
    })
  })

  it("P9 an engine that gave a sign of life since it was seen is not taken over", () => {
    explore((before, label) => {
      for (const name of engines) {
        if (label !== `${name} takes over`) continue
        expect(before.tenure.holder?.count).toBe(before[name].seen?.count)
        expect(before.tenure.fence).toBe(before[name].seen?.fence)
      }
    })
  })

  it("P7 no resurrection: nobody takes a session that is being deleted, and nobody writes once it is gone", () => {
    explore((before, label, after) => {
      if (before.tenure.state !== "live") expect(label).not.toMatch(/takes$/)
      if (after.tenure.state === "gone") {
        for (const name of engines) expect(writes(after, name)).toBe(false)
        expect(after.tenure.holder).toBeNull()
      }
      if (before.tenure.state === "gone") expect(after.tenure).toEqual(before.tenure)
    })
  })
})
