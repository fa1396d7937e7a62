/** One at a time, whichever caller is interrupted. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as OneByOne from "../../../src/services/OneByOne.js"

describe("OneByOne", () => {
  it.effect("runs one effect at a time, in the order of arrival", () =>
    Effect.gen(function* () {
      const oneByOne = OneByOne.make()
      const order: Array<number> = []
      let inside = 0
      const pass = (n: number) =>
        Effect.gen(function* () {
          expect(++inside).toBe(1)
          yield* Effect.yieldNow()
          order.push(n)
          inside--
        })
      yield* Effect.forEach([1, 2, 3, 4], (n) => oneByOne(pass(n)), { concurrency: "unbounded" })
      expect(order).toEqual([1, 2, 3, 4])
    })
  )

  it.effect("goes on with the next effect, at whatever point the one before it is interrupted", () =>
    Effect.forEach(
      Array.from({ length: 12 }, (_, yields) => yields),
      (yields) =>
        Effect.gen(function* () {
          const oneByOne = OneByOne.make()
          const gate = yield* Effect.makeLatch(false)
          const first = yield* Effect.fork(oneByOne(gate.await))
          yield* Effect.yieldNow()
          const second = yield* Effect.fork(oneByOne(Effect.yieldNow()))
          const third = yield* Effect.fork(oneByOne(Effect.void))
          yield* Effect.repeatN(Effect.yieldNow(), 5)
          yield* gate.open
          yield* Effect.repeatN(Effect.yieldNow(), yields)
          yield* Fiber.interrupt(second)
          yield* Fiber.joinAll([first, third])
        })
    )
  )
})
