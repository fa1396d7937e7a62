import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, FastCheck, Fiber, Layer } from "effect"
import { Quiescence } from "skein/testing"
import * as Boundary from "../../../../src/services/runtime/Boundary.js"

const layer = Layer.provideMerge(Boundary.layer, Quiescence.layer)

const test = <E>(name: string, body: (boundary: Boundary.Boundary["Type"]) => Effect.Effect<void, E>) => {
  it.effect(name, () => Effect.provide(Effect.flatMap(Boundary.Boundary, body), layer))
}

/** Holds `key` until it is released, and reports when it has it. */
const holder = Effect.fnUntraced(function* (boundary: Boundary.Boundary["Type"], key: string) {
  const held = yield* Deferred.make<void>()
  const letGo = yield* Deferred.make<void>()
  const hold = boundary.hold(key)(Effect.zipRight(Deferred.succeed(held, undefined), Deferred.await(letGo)))
  const fiber = yield* Effect.fork(hold)
  yield* Quiescence.idle
  return { fiber, held: Deferred.await(held), isHeld: Deferred.isDone(held), letGo: Deferred.succeed(letGo, undefined) }
})

describe("P7 the boundary", () => {
  test("P7 is held by one at a time, first come first served", (boundary) =>
    Effect.gen(function* () {
      const holders = [yield* holder(boundary, "a"), yield* holder(boundary, "a"), yield* holder(boundary, "a")]
      for (const [index, { fiber, held, letGo }] of holders.entries()) {
        yield* held
        const later = holders.slice(index + 1)
        expect(yield* Effect.forEach(later, ({ isHeld }) => isHeld)).toEqual(later.map(() => false))
        yield* letGo
        yield* fiber
      }
    }))

  test("P7 of one key holds up no other key", (boundary) =>
    Effect.gen(function* () {
      const one = yield* holder(boundary, "a")
      yield* one.held
      expect(yield* boundary.hold("b")(Effect.succeed("through"))).toBe("through")
      yield* one.letGo
    }))

  test("P7 is released however the effect ends", (boundary) =>
    Effect.gen(function* () {
      expect(Exit.isFailure(yield* Effect.exit(boundary.hold("a")(Effect.fail("no"))))).toBe(true)
      expect(Exit.isFailure(yield* Effect.exit(boundary.hold("a")(Effect.dieMessage("bug"))))).toBe(true)
      const one = yield* holder(boundary, "a")
      yield* one.held
      yield* Fiber.interrupt(one.fiber)
      expect(yield* boundary.hold("a")(Effect.succeed("through"))).toBe("through")
      expect(yield* boundary.size).toBe(0)
    }))

  test("P7 drops an interrupted waiter from the queue at once, and the next one moves up", (boundary) =>
    Effect.gen(function* () {
      const [first, second, third] = [
        yield* holder(boundary, "a"),
        yield* holder(boundary, "a"),
        yield* holder(boundary, "a")
      ]
      yield* first.held
      yield* Fiber.interrupt(second.fiber)
      expect(yield* third.isHeld).toBe(false)
      yield* first.letGo
      yield* third.held
      expect(yield* second.isHeld).toBe(false)
      yield* third.letGo
      yield* third.fiber
      expect(yield* boundary.size).toBe(0)
    }))

  test("P7 is removed when nobody holds it or waits for it", (boundary) =>
    Effect.gen(function* () {
      const [first, second] = [yield* holder(boundary, "a"), yield* holder(boundary, "a")]
      expect(yield* boundary.size).toBe(1)
      yield* first.letGo
      yield* second.letGo
      yield* Fiber.joinAll([first.fiber, second.fiber])
      expect(yield* boundary.size).toBe(0)
    }))

  const plans = FastCheck.array(
    FastCheck.record({
      key: FastCheck.constantFrom("a", "b"),
      turns: FastCheck.nat(4),
      interruptAt: FastCheck.nat(12)
    }),
    { maxLength: 12 }
  )
  it.effect.prop(
    "P7 never admits two fibers at once or leaves one waiting, whichever is interrupted, and when",
    [plans, FastCheck.constantFrom(10, 16, 2_048)],
    ([plans, ops]) =>
      Effect.gen(function* () {
        const boundary = yield* Boundary.Boundary
        const inside = new Map<string, number>()
        let most = 0
        const enter = (key: string, change: number) =>
          Effect.sync(() => {
            inside.set(key, (inside.get(key) ?? 0) + change)
            most = Math.max(most, inside.get(key) ?? 0)
          })
        const fibers = yield* Effect.forEach(plans, ({ interruptAt, key, turns }) =>
          Effect.gen(function* () {
            const work = Effect.acquireUseRelease(
              enter(key, 1),
              () => Effect.repeatN(Effect.yieldNow(), turns),
              () => enter(key, -1)
            )
            const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(boundary.hold(key)(work), ops))
            // At the higher moments the fiber is not interrupted.
            const interrupt = Effect.zipRight(
              Effect.repeatN(Effect.yieldNow(), interruptAt),
              interruptAt > 8 ? Effect.void : Fiber.interruptFork(fiber)
            )
            yield* Effect.fork(interrupt)
            return fiber
          })
        )
        yield* Fiber.awaitAll(fibers)
        expect(most).toBeLessThanOrEqual(1)
        expect(yield* boundary.size).toBe(0)
      }).pipe(Effect.provide(layer)),
    { fastCheck: { numRuns: 40 } }
  )
})
