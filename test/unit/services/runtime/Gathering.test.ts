import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Deferred, Effect, Exit, Fiber } from "effect"
import { Quiescence } from "skein/testing"
import * as Gathering from "../../../../src/services/runtime/Gathering.js"

/** Long enough that all that can begin before a turn has begun by then. */
const turn = Effect.repeatN(Effect.yieldNow(), 30)

describe("all", () => {
  it.effect("returns the results in the order of the effects, whichever ends first", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* Deferred.make<string>(), yield* Deferred.make<string>()]
      const gathered = yield* Effect.fork(Gathering.all([Deferred.await(first), Deferred.await(second)], turn))
      yield* Deferred.succeed(second, "second")
      yield* Quiescence.idle
      yield* Deferred.succeed(first, "first")
      expect(yield* gathered).toEqual(["first", "second"])
    }).pipe(Effect.provide(Quiescence.layer))
  )

  it.effect("of nothing returns nothing", () => Effect.map(Gathering.all([], turn), (none) => expect(none).toEqual([])))

  it.effect("fails with the first failure, once all others are interrupted and have ended", () =>
    Effect.gen(function* () {
      const ended: Array<number> = []
      const waits = (index: number) =>
        Effect.ensuring(
          Effect.never,
          Effect.sync(() => ended.push(index))
        )
      const exit = yield* Effect.exit(Gathering.all([waits(0), Effect.fail("no"), waits(2)], turn))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(ended).toEqual(expect.arrayContaining([0, 2]))
    })
  )

  // `forEach` alone waits for ever in some of these.
  for (const [count, ops] of [3, 100].flatMap((count) => [10, 12, 16, 20, 2_048].map((ops) => [count, ops] as const))) {
    it.effect(
      `interrupted at whatever moment, it returns when all that began has ended (${count} effects, ${ops})`,
      () =>
        Effect.gen(function* () {
          const hanging: Array<number> = []
          for (let moment = 0; moment < 40; moment++) {
            let running = 0
            const effect = Effect.acquireUseRelease(
              Effect.sync(() => running++),
              () => Effect.never,
              () =>
                Effect.zipRight(
                  Effect.yieldNow(),
                  Effect.sync(() => running--)
                )
            )
            const gathering = Effect.withMaxOpsBeforeYield(Gathering.all(Arr.replicate(effect, count), turn), ops)
            const gathered = yield* Effect.fork(gathering)
            yield* Effect.repeatN(Effect.yieldNow(), moment)
            const interrupting = yield* Effect.fork(Fiber.interrupt(gathered))
            yield* Quiescence.idle
            if (interrupting.unsafePoll() === null) hanging.push(moment)
            expect(running).toBe(0)
          }
          expect(hanging).toEqual([])
        }).pipe(Effect.provide(Quiescence.layer))
    )
  }
})
