import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, FastCheck } from "effect"
import * as Lease from "../../src/domain/Lease.js"

const self: Lease.Owner = { bootId: "boot", pidNamespace: "ns", pid: 10, startTime: "100", instance: "mine" }
const other: Lease.Owner = { ...self, pid: 20, startTime: "200", instance: "theirs" }

const gone: Lease.Sighting = { startTime: null, instanceKnown: false }
const running: Lease.Sighting = { startTime: "200", instanceKnown: false }
const reused: Lease.Sighting = { startTime: "999", instanceKnown: false }
const known: Lease.Sighting = { startTime: "100", instanceKnown: true }
const forgotten: Lease.Sighting = { startTime: "100", instanceKnown: false }

const cases: ReadonlyArray<readonly [string, Lease.Owner, Lease.Sighting, Lease.Liveness]> = [
  ["of another boot", { ...other, bootId: "earlier" }, running, "dead"],
  ["of another boot, with our own pid and start time", { ...self, bootId: "earlier" }, known, "dead"],
  ["whose boot is not known", { ...other, bootId: "" }, gone, "unknown"],
  ["of another pid namespace, whatever its pid", { ...other, pidNamespace: "container" }, gone, "unknown"],
  [
    "of another pid namespace, with our own pid and start time",
    { ...self, pidNamespace: "container" },
    known,
    "unknown"
  ],
  ["that runs", other, running, "alive"],
  ["whose pid is gone", other, gone, "dead"],
  ["whose pid belongs to another process now", other, reused, "dead"],
  ["whose pid is ours now", { ...other, pid: self.pid }, forgotten, "dead"],
  ["whose pid is ours now, of a known instance", { ...other, pid: self.pid }, known, "dead"],
  ["of this process, its instance known", { ...self, instance: "second" }, known, "alive"],
  ["of this process, its instance closed", { ...self, instance: "second" }, forgotten, "dead"]
]

describe("Lease", () => {
  it.each(cases)("P9 many processes: an owner %s", (_, owner, sighting, liveness) => {
    expect(Lease.liveness(self, owner, sighting)).toBe(liveness)
  })

  it("P9 many processes: who does not know its own boot can prove nothing", () => {
    for (const bootId of ["", "boot"]) {
      expect(Lease.liveness({ ...self, bootId: "" }, { ...other, bootId }, gone)).toBe("unknown")
    }
  })

  it.prop(
    "P9 many processes: an owner of this boot and namespace that is seen with its start time is never dead",
    [Arbitrary.make(Lease.Owner), FastCheck.integer(), FastCheck.string(), FastCheck.boolean()],
    ([self, pid, instance, instanceKnown]) => {
      FastCheck.pre(pid !== self.pid)
      const owner = { ...self, pid, instance }
      expect(Lease.liveness(self, owner, { startTime: owner.startTime, instanceKnown })).not.toBe("dead")
    }
  )
})
