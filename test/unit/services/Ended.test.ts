import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Exit } from "effect"
import * as Ended from "../../../src/services/Ended.js"

describe("an effect that has ended", () => {
  const ended = {
    "a success": Effect.succeed(1),
    "a failure": Effect.fail("no"),
    "a right": Either.right(1),
    "a left": Either.left("no")
  }
  it.each(Object.entries(ended))(
    "%s is recognized, also once it is mapped, and is not provided with services",
    (_, effect) => {
      const mapped = Ended.map(effect, (n) => n + 1)
      expect([Ended.is(effect), Ended.is(mapped)]).toEqual([true, true])
      expect(Effect.runSyncExit(mapped)).toEqual(Effect.runSyncExit(Effect.map(effect, (n) => n + 1)))
      expect(Ended.provided(effect, () => Effect.die("was provided"))).toBe(effect)
    }
  )

  it("an effect that must still run is not recognized; it is mapped and provided when it runs", () => {
    const later = Effect.sync(() => 1)
    expect(Ended.is(later)).toBe(false)
    expect(Ended.is(Ended.map(later, (n) => n + 1))).toBe(false)
    expect(Effect.runSyncExit(Ended.map(later, (n) => n + 1))).toEqual(Exit.succeed(2))
    expect(Effect.runSync(Ended.provided(later, (effect) => Effect.map(effect, (n) => n + 2)))).toBe(3)
  })
})
