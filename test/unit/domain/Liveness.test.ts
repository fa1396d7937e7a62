import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, FastCheck, Schema } from "effect"
import * as Lease from "../../../src/domain/Lease.js"
import * as Liveness from "../../../src/domain/Liveness.js"

const self: Lease.EngineId = {
  bootId: "boot",
  pidNamespace: "ns",
  pid: 10,
  startTime: "100",
  instance: "mine",
  host: null
}
const other: Lease.EngineId = { ...self, pid: 20, startTime: "200", instance: "theirs" }

const gone: Liveness.Sighting = { startTime: null, instanceKnown: false }
const running: Liveness.Sighting = { startTime: "200", instanceKnown: false }
const reused: Liveness.Sighting = { startTime: "999", instanceKnown: false }
const known: Liveness.Sighting = { startTime: "100", instanceKnown: true }
const forgotten: Liveness.Sighting = { startTime: "100", instanceKnown: false }

const cases: ReadonlyArray<readonly [string, Lease.EngineId, Liveness.Sighting, Liveness.Liveness]> = [
  ["of another boot: dead", { ...other, bootId: "earlier" }, running, "dead"],
  ["of another boot, with our own pid and start time: dead", { ...self, bootId: "earlier" }, known, "dead"],
  ["whose boot is not known: unknown", { ...other, bootId: "" }, gone, "unknown"],
  ["of another pid namespace, whatever its pid: unknown", { ...other, pidNamespace: "container" }, gone, "unknown"],
  [
    "of another pid namespace, with our own pid and start time: unknown",
    { ...self, pidNamespace: "container" },
    known,
    "unknown"
  ],
  ["that runs: alive", other, running, "alive"],
  ["whose pid is gone: dead", other, gone, "dead"],
  ["whose pid belongs to another process now: dead", other, reused, "dead"],
  ["whose pid is ours now: dead", { ...other, pid: self.pid }, forgotten, "dead"],
  ["whose pid is ours now, of a known instance: dead", { ...other, pid: self.pid }, known, "dead"],
  ["of this process, with a known instance: alive", { ...self, instance: "second" }, known, "alive"],
  ["of this process, with a closed instance: dead", { ...self, instance: "second" }, forgotten, "dead"]
]

describe("Liveness.liveness", () => {
  it.each(cases)("P9 many processes: an engine %s", (_, engine, sighting, liveness) => {
    expect(Liveness.liveness(self, engine, sighting)).toBe(liveness)
  })

  it("P9 many processes: an engine that does not know its own boot can prove nothing about others", () => {
    for (const bootId of ["", "boot"]) {
      expect(Liveness.liveness({ ...self, bootId: "" }, { ...other, bootId }, gone)).toBe("unknown")
    }
  })

  it.each([
    ["another host", "b"],
    ["an unnamed host", null]
  ])("P9 many hosts: nothing is proven about an engine of %s, whatever it shares with this one", (_, host) => {
    const mine = { ...self, host: "a" }
    for (const sighting of [gone, running, reused, forgotten]) {
      expect(Liveness.liveness(mine, { ...other, host }, sighting)).toBe("unknown")
      expect(Liveness.liveness(mine, { ...mine, instance: "second", host }, sighting)).toBe("unknown")
      expect(Liveness.liveness(mine, { ...other, host, bootId: "earlier" }, sighting)).toBe("unknown")
      expect(Liveness.liveness({ ...self, host }, { ...mine, pid: 20 }, sighting)).toBe("unknown")
    }
  })

  it("P9 many hosts: on its own host, an engine proves a process dead, but nothing about another boot", () => {
    const here = { ...self, host: "a" }
    expect(Liveness.liveness(here, { ...other, host: "a" }, gone)).toBe("dead")
    expect(Liveness.liveness(here, { ...other, host: "a" }, running)).toBe("alive")
    expect(Liveness.liveness(here, { ...other, host: "a", bootId: "earlier" }, gone)).toBe("unknown")
  })

  it("P9 many processes: an engine stored by an earlier version has no host", () => {
    const { host, ...stored } = self
    expect(Schema.decodeUnknownSync(Lease.EngineId)(stored)).toEqual({ ...stored, host })
  })

  it.prop(
    "P9 many processes: an engine of this boot and namespace that is seen with its start time is never dead",
    [Arbitrary.make(Lease.EngineId), FastCheck.integer(), FastCheck.string(), FastCheck.boolean()],
    ([self, pid, instance, instanceKnown]) => {
      FastCheck.pre(pid !== self.pid)
      const engine = { ...self, pid, instance }
      expect(Liveness.liveness(self, engine, { startTime: engine.startTime, instanceKnown })).not.toBe("dead")
    }
  )
})

describe("Liveness.standing", () => {
  const leaseMillis = 15_000
  const grace = leaseMillis / 2
  const at = (at: number, clock = "host"): Lease.Sign => ({ clock, at })
  const seen = (sign: Lease.Sign | null, count = 1, own: number | null = leaseMillis) => ({
    fence: 3,
    beat: { count, sign, leaseMillis: own, seenAt: 0 }
  })
  const tag = (...args: Parameters<typeof Liveness.standing>) => Liveness.standing(...args)._tag
  const watch = (fields: Partial<Liveness.LeaseWatch> = {}): Liveness.LeaseWatch => ({
    fence: 3,
    count: 1,
    since: 0,
    asks: 0,
    askedAt: fields.since ?? 0,
    ...fields
  })
  const lost = { _tag: "Over", reason: "lease-lost" }

  it("P9 a dead engine's lease is over at once, whatever its last sign of life", () => {
    expect(Liveness.standing("dead", seen(at(99)), at(100), null, leaseMillis)).toEqual({
      _tag: "Over",
      reason: "crashed"
    })
  })

  it.each(["alive", "unknown"] as const)(
    "P9 on a shared clock, an engine (%s) has its whole lease, and is then asked before it loses its run",
    (liveness) => {
      const end = 100 + leaseMillis
      const found = (now: number, watched: Liveness.LeaseWatch | null) =>
        Liveness.standing(liveness, seen(at(100)), at(now), watched, leaseMillis)
      expect(found(end - 1, null)._tag).toBe("Held")
      const unasked = watch({ since: end })
      expect(found(end, null)).toEqual({ _tag: "Silent", watched: unasked })
      const once = Liveness.asked(unasked, at(end))
      expect(found(end + grace - 1, once)).toEqual({ _tag: "Unclear", watched: once })
      expect(found(end + grace, once)).toEqual({ _tag: "Silent", watched: once })
      const twice = Liveness.asked(once, at(end + grace))
      expect(found(end + grace + 999, twice)._tag).toBe("Unclear")
      expect(found(end + grace + 1_000, twice)).toEqual(lost)
    }
  )

  it("P9 an engine that gives a sign of life when asked keeps its lease", () => {
    const asked = watch({ asks: 2, askedAt: 20_000 })
    expect(tag("alive", seen(at(21_000), 2), at(30_000), asked, leaseMillis)).toBe("Held")
  })

  it("P9 an engine that gave a sign after it was asked is asked again when it falls silent again", () => {
    const asked = watch({ asks: 2, askedAt: 20_000 })
    const found = Liveness.standing("alive", seen(at(21_000), 2), at(40_000), asked, leaseMillis)
    const watched = watch({ count: 2, since: 40_000 })
    expect(found).toEqual({ _tag: "Held", watched })
    expect(tag("alive", seen(at(21_000), 2), at(41_000), watched, leaseMillis)).toBe("Silent")
  })

  it("P9 questions about an earlier lease do not count", () => {
    const asked = watch({ fence: 2, asks: 2, askedAt: 20_000 })
    expect(tag("alive", seen(at(100)), at(90_000), asked, leaseMillis)).toBe("Silent")
  })

  it("P9 a lease lasts as long as its own engine says, however long others' leases last", () => {
    expect(tag("alive", seen(at(0), 1, 60_000), at(59_999), null, 1_000)).toBe("Held")
    expect(tag("alive", seen(at(0), 1, 1_000), at(1_000), null, 60_000)).toBe("Silent")
    const asked = watch({ asks: 2, askedAt: 1_000 })
    expect(Liveness.standing("alive", seen(at(0), 1, 1_000), at(2_000), asked, 60_000)).toEqual(lost)
    expect(tag("alive", seen(at(0), 1, null), at(59_999), null, 60_000)).toBe("Held")
  })

  it("P9 a sign of life from the future counts as one from before the host's last boot", () => {
    expect(Liveness.standing("unknown", seen(at(101)), at(100), null, leaseMillis)).toEqual({
      _tag: "Over",
      reason: "crashed"
    })
  })

  it.each([null, at(5, "elsewhere"), at(5, "")])(
    "P9 without a shared clock (%s), an engine is asked only after a whole lease of silence",
    (sign) => {
      const now = (millis: number) => at(millis, sign?.clock === "" ? "" : "host")
      const first = Liveness.standing("alive", seen(sign), now(1_000), null, leaseMillis)
      const watched = first._tag === "Unclear" ? first.watched : null
      expect(watched).toEqual(watch({ since: 1_000 }))
      const later = (count: number, millis: number, seenBefore = watched) =>
        Liveness.standing("alive", seen(sign, count), now(millis), seenBefore, leaseMillis)
      expect(later(1, 1_000 + leaseMillis - 1)).toEqual({ _tag: "Unclear", watched })
      expect(later(1, 1_000 + leaseMillis)).toEqual({ _tag: "Silent", watched })
      const asked = watch({ since: 1_000, asks: 2, askedAt: 1_000 + leaseMillis })
      expect(later(1, 2_000 + leaseMillis, asked)).toEqual(lost)
      expect(later(2, 90_000, asked)).toEqual({ _tag: "Held", watched: watch({ count: 2, since: 90_000 }) })
      const anotherRun = Liveness.standing("alive", { ...seen(sign), fence: 4 }, now(90_000), watched, leaseMillis)
      expect(anotherRun).toEqual({ _tag: "Unclear", watched: watch({ fence: 4, since: 90_000 }) })
    }
  )

  it.each(["host", "elsewhere"])(
    "P9 checks at the times that waitMillis returns, and none earlier, find a lease over: clock %s",
    (clock) => {
      let watched: Liveness.LeaseWatch | null = null
      const looks: Array<string> = []
      for (let now = 100 + leaseMillis; looks.length < 9;) {
        const found = Liveness.standing("unknown", seen(at(100, clock)), at(now), watched, leaseMillis)
        looks.push(`${found._tag} at ${now - 100}`)
        if (found._tag === "Over" || found._tag === "Held") break
        const early = Liveness.waitMillis(found, at(now), leaseMillis)
        watched = found._tag === "Silent" ? Liveness.asked(found.watched, at(now)) : found.watched
        const before = Liveness.standing("unknown", seen(at(100, clock)), at(now + early - 1), watched, leaseMillis)
        expect(before._tag).toBe("Unclear")
        if (before._tag === "Unclear") expect(Liveness.waitMillis(before, at(now + early - 1), leaseMillis)).toBe(1)
        now += early
      }
      expect(looks).toEqual(
        clock === "host"
          ? ["Silent at 15000", "Silent at 22500", "Over at 23500"]
          : ["Unclear at 15000", "Silent at 30000", "Silent at 37500", "Over at 38500"]
      )
    }
  )

  it("P9 a sign of life from this very instant holds the lease", () => {
    expect(Liveness.standing("alive", seen(at(5), 1, 10), at(5), null, 10)).toEqual({ _tag: "Held", watched: null })
  })
})
