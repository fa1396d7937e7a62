import { describe, expect, it } from "vitest"
import * as Tenure from "../../../src/domain/Tenure.js"

const by = (instance: string, count = 1): Tenure.TenureHolder => ({ instance, count })

describe("Tenure", () => {
  const taken = { fence: 1, holder: { instance: "a", count: 1 }, state: "live" } as const

  it("P9 a free session is taken once, under the next number, and free again when the run ends", () => {
    expect(Tenure.take(Tenure.free, by("a"))).toEqual(taken)
    expect(Tenure.take(taken, by("b"))).toBeNull()
    expect(Tenure.end(taken)).toEqual({ ...taken, holder: null })
    expect(Tenure.take(Tenure.end(taken), by("b"))).toEqual({
      ...taken,
      fence: 2,
      holder: { instance: "b", count: 1 }
    })
  })

  it("P9 only the holder's signs of life are counted", () => {
    expect(Tenure.renew(taken, by("a", 2))).toEqual({ ...taken, holder: { instance: "a", count: 2 } })
    expect(Tenure.renew(taken, by("b", 2))).toBe(taken)
    expect(Tenure.renew(Tenure.free, by("a", 2))).toBe(Tenure.free)
  })

  it("P9 a holder is taken over only if its fencing number and sign of life are still those last seen", () => {
    expect(Tenure.takeOver(taken, { fence: 1, count: 1 }, by("b"))).toEqual({
      ...taken,
      fence: 2,
      holder: { instance: "b", count: 1 }
    })
    expect(Tenure.takeOver(Tenure.renew(taken, by("a", 2)), { fence: 1, count: 1 }, by("b"))).toBeNull()
    expect(Tenure.takeOver({ ...taken, fence: 2 }, { fence: 1, count: 1 }, by("b"))).toBeNull()
    expect(Tenure.takeOver(Tenure.end(taken), { fence: 1, count: 1 }, by("b"))).toBeNull()
  })

  it("P7 P9 a write counts only under the holder's number, and only while the session exists", () => {
    expect(Tenure.admits(taken, 1)).toBe(true)
    expect(Tenure.admits(taken, 2)).toBe(false)
    expect(Tenure.admits(Tenure.end(taken), 1)).toBe(false)
    expect(Tenure.admits(Tenure.beginDeletion(taken), 1)).toBe(true)
    expect(Tenure.admits({ ...taken, state: "gone" }, 1)).toBe(false)
  })

  it("P7 a session is removed once its deletion has begun and no run holds it", () => {
    const deleting = Tenure.beginDeletion(taken)
    expect(deleting).toEqual({ ...taken, state: "deleting" })
    expect(Tenure.take(Tenure.end(deleting), by("b"))).toBeNull()
    expect(Tenure.remove(Tenure.end(taken))).toBeNull()
    expect(Tenure.remove(deleting)).toBeNull()
    expect(Tenure.remove(Tenure.end(deleting))).toEqual({ ...taken, holder: null, state: "gone" })
  })
})
