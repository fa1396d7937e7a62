import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Deferred, Effect, Exit, Fiber, Layer, Supervisor } from "effect"
import { Quiescence } from "skein/testing"
import { EventLoop, type Turn } from "../../../../src/services/EventLoop.js"
import * as Gathering from "../../../../src/services/runtime/Gathering.js"
import * as Stretch from "../../../../src/services/Stretch.js"

/** What gathering needs. A turn takes so long that everything that can begin before it has begun by its end. */
const layer = (turn: Turn = Effect.repeatN(Effect.yieldNow(), 30)) =>
  Stretch.layer.pipe(Layer.provide(Layer.succeed(EventLoop, { turn })), Layer.merge(Quiescence.layer))

const all = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>) =>
  Effect.flatMap(Stretch.Stretch, (stretch) => Gathering.all(effects, stretch))

describe("all", () => {
  it.effect("returns the results in the order of the effects, whichever ends first", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* Deferred.make<string>(), yield* Deferred.make<string>()]
      const gathered = yield* Effect.fork(all([Deferred.await(first), Deferred.await(second)]))
      yield* Deferred.succeed(second, "second")
      yield* Quiescence.idle
      yield* Deferred.succeed(first, "first")
      expect(yield* gathered).toEqual(["first", "second"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of nothing returns nothing", () =>
    Effect.gen(function* () {
      expect(yield* all([])).toEqual([])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("fails with the first failure, once all others are interrupted and have ended", () =>
    Effect.gen(function* () {
      const ended: Array<number> = []
      const waits = (index: number) =>
        Effect.ensuring(
          Effect.never,
          Effect.sync(() => ended.push(index))
        )
      const exit = yield* Effect.exit(all([waits(0), Effect.fail("no"), waits(2)]))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(ended).toEqual(expect.arrayContaining([0, 2]))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("starts a portion of many effects before it yields, and no more once one has failed", () =>
    Effect.gen(function* () {
      let started = 0
      class Starts extends Supervisor.AbstractSupervisor<void> {
        override readonly value = Effect.void
        override onStart = () => void started++
      }
      const [turning, failing] = [yield* Deferred.make<void>(), yield* Deferred.make<never, string>()]
      const effects = Arr.makeBy(1_000, (index) => (index === 0 ? Deferred.await(failing) : Effect.never))
      const gather = Effect.gen(function* () {
        const gathered = yield* Effect.fork(Effect.exit(Effect.supervised(all(effects), new Starts())))
        yield* Quiescence.idle
        expect(started).toBe(32)
        yield* Deferred.fail(failing, "no")
        yield* Quiescence.idle
        yield* Deferred.succeed(turning, undefined)
        expect(yield* Fiber.join(gathered)).toEqual(Exit.fail("no"))
        expect(started).toBe(32)
      })
      yield* Effect.provide(gather, layer(Deferred.await(turning)))
    })
  )

  // `forEach` alone waits forever in some of these.
  for (const [count, ops] of [3, 100].flatMap((count) => [10, 12, 16, 20, 2_048].map((ops) => [count, ops] as const))) {
    it.effect(`interrupted at any moment, returns once all started effects have ended (${count} effects, ${ops})`, () =>
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
          const gathering = Effect.withMaxOpsBeforeYield(all(Arr.replicate(effect, count)), ops)
          const gathered = yield* Effect.fork(gathering)
          yield* Effect.repeatN(Effect.yieldNow(), moment)
          const interrupting = yield* Effect.fork(Fiber.interrupt(gathered))
          yield* Quiescence.idle
          if (interrupting.unsafePoll() === null) hanging.push(moment)
          expect(running).toBe(0)
        }
        expect(hanging).toEqual([])
      }).pipe(Effect.provide(layer()))
    )
  }
})
