/**
 * The moves of a lease explored exhaustively: two engines and everything that may happen to them, in every order up to a
 * bound. These are the moves that the in-memory store runs; every move of `Tenure` is among them.
 * An engine knows only what it was told: it may be stopped for as long as one likes between a look and an act.
 */
import { describe, expect, it } from "vitest"
import * as Tenure from "../../../src/domain/Tenure.js"

const engines = ["a", "b"] as const
type Name = (typeof engines)[number]

interface EngineState {
  /** The fencing number that it believes to hold the session under; null for none. */
  readonly fence: number | null
  /** What it saw of the session's holder when it last looked. */
  readonly seen: { readonly fence: number; readonly count: number } | null
  readonly stopped: boolean
}

interface World {
  readonly tenure: Tenure.Tenure
  readonly a: EngineState
  readonly b: EngineState
}

const idle: EngineState = { fence: null, seen: null, stopped: false }
const start: World = { tenure: Tenure.free, a: idle, b: idle }

const other = (name: Name): Name => (name === "a" ? "b" : "a")

/** Everything that may happen next, with what it is called. */
const next = (world: World): ReadonlyArray<readonly [string, World]> => {
  const steps: Array<readonly [string, World]> = []
  const { tenure } = world
  const to = (label: string, tenure: Tenure.Tenure | null, changes: Partial<World> = {}) => {
    if (tenure !== null) steps.push([label, { ...world, ...changes, tenure }])
  }
  for (const name of engines) {
    const engine = world[name]
    if (engine.stopped) {
      to(`${name} wakes up`, tenure, { [name]: { ...engine, stopped: false } })
      continue
    }
    to(`${name} is stopped`, tenure, { [name]: { ...engine, stopped: true } })
    const taken = Tenure.take(tenure, { instance: name, count: 1 })
    to(`${name} takes`, taken, { [name]: { ...engine, fence: taken?.fence ?? null } })
    if (tenure.holder !== null && tenure.holder.instance !== name) {
      to(`${name} looks`, tenure, {
        [name]: { ...engine, seen: { fence: tenure.fence, count: tenure.holder.count } }
      })
    }
    // Time passes between the look and this: whether enough has, and what the other did meanwhile, is left open.
    if (engine.seen !== null) {
      const over = Tenure.takeOver(tenure, engine.seen, { instance: name, count: 1 })
      to(`${name} takes over`, over, { [name]: { ...engine, seen: null, fence: over?.fence ?? null } })
    }
    if (engine.fence !== null) {
      const count = (tenure.holder?.count ?? 0) + 1
      to(`${name} gives a sign of life`, Tenure.renew(tenure, { instance: name, count }))
      if (Tenure.admits(tenure, engine.fence)) {
        to(`${name} ends its run`, Tenure.release(tenure), { [name]: { ...engine, fence: null } })
      }
    }
  }
  if (tenure.state === "live") to("deletion begins", Tenure.beginDeletion(tenure))
  to("the session is removed", Tenure.remove(tenure))
  return steps
}

/** Signs of life are counted modulo a few, fencing numbers bounded by the depth: the worlds are finite enough. */
const keyOf = (world: World): string => JSON.stringify(world)

const depth = 11

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
  it("P9 one engine: at most one engine's writes count, and it is the newest holder's", () => {
    const worlds = explore((_, __, after) => {
      expect(writes(after, "a") && writes(after, "b")).toBe(false)
      for (const name of engines) if (writes(after, name)) expect(after.tenure.holder?.instance).toBe(name)
    })
    expect(worlds).toBeGreaterThan(2_000)
  })

  it("P9 one engine: who was taken over never writes again under the number that it had", () => {
    explore((before, label, after) => {
      for (const name of engines) {
        if (label !== `${name} takes over`) continue
        expect(writes(before, other(name)) && writes(after, other(name))).toBe(false)
        expect(after.tenure.fence).toBeGreaterThan(before.tenure.fence)
      }
    })
  })

  it("P9 fencing numbers never fall, and no two holders have had the same", () => {
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

  it("P7 no resurrection: a session that is being deleted is taken by nobody, and nothing is written once it is gone", () => {
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
