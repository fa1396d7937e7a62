import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { Quiescence } from "skein/testing"
import * as StorageTest from "../../../src/adapters/testing/storage/StorageTest.js"
import { EventLoop } from "../../../src/services/EventLoop.js"
import { layer, Stretch } from "../../../src/services/Stretch.js"

/** A stretch with a clock that the test sets, and an event loop that turns when the test tells it to. */
const withLoop = <A, E>(
  test: (loop: {
    readonly at: (millis: number) => Effect.Effect<void>
    readonly turn: Effect.Effect<void>
  }) => Effect.Effect<A, E, Stretch | Scope.Scope>
) =>
  Effect.gen(function* () {
    const { clock, set } = StorageTest.handClock()
    const turning = yield* Effect.makeLatch(false)
    const loop = {
      at: set,
      turn: Quiescence.idle.pipe(Effect.zipRight(turning.release), Effect.zipRight(Quiescence.idle))
    }
    const loops = Layer.succeed(EventLoop, { turn: turning.await })
    yield* test(loop).pipe(
      Effect.provide(layer.pipe(Layer.provide(loops), Layer.merge(Quiescence.layer))),
      Effect.withClock(clock)
    )
  })

/** Works repeatedly, and counts how often. */
const worker = (next: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const worked = { times: 0 }
    const work = Effect.zipRight(
      next,
      Effect.sync(() => void worked.times++)
    )
    yield* Effect.forkScoped(Effect.repeatN(work, 99))
    yield* Quiescence.idle
    return worked
  })

it.scopedLive("all workers together do no more than a portion in one stretch", () =>
  withLoop(({ turn }) =>
    Effect.gen(function* () {
      const { oneOf } = yield* Stretch
      const workers = yield* Effect.replicateEffect(worker(oneOf(4)), 3)
      const sum = () => workers.reduce((before, { times }) => before + times, 0)
      const times = () => workers.map((one) => one.times)
      expect(times()).toEqual([4, 0, 0])
      for (let round = 2; round <= 12; round++) {
        yield* turn
        expect(sum()).toBe(4 * round)
      }
      expect(Math.min(...times())).toBeGreaterThan(8)
    })
  )
)

it.scopedLive("different kinds of work in a stretch add up", () =>
  withLoop(({ turn }) =>
    Effect.gen(function* () {
      const { oneOf } = yield* Stretch
      yield* Effect.repeatN(oneOf(8), 5)
      const other = yield* worker(oneOf(4))
      expect(other.times).toBe(1)
      yield* turn
      expect(other.times).toBe(5)
    })
  )
)

it.scopedLive("a stretch is long after some milliseconds, and any turn of the event loop ends it", () =>
  withLoop(({ at, turn }) =>
    Effect.gen(function* () {
      const { breathe, isLong, note } = yield* Stretch
      yield* at(1_000)
      note()
      yield* at(1_011)
      yield* breathe()
      expect(isLong()).toBe(false)
      yield* at(1_012)
      expect(isLong()).toBe(true)
      yield* turn
      expect(isLong()).toBe(false)
      yield* breathe()
      yield* at(1_023)
      yield* breathe()
      yield* at(1_024)
      const waiting = yield* worker(breathe())
      expect(waiting.times).toBe(0)
      yield* turn
      expect(waiting.times).toBe(100)
    })
  )
)

it.scopedLive(
  "waiting work goes on for some milliseconds per turn, even if the worker that lets others in is gone",
  () =>
    withLoop(({ at, turn }) =>
      Effect.gen(function* () {
        const { breathe } = yield* Stretch
        let now = 1_000
        let reads = 0
        const read = Effect.zipRight(
          breathe(5),
          Effect.suspend(() => {
            reads++
            return at((now += 3))
          })
        )
        const first = yield* Effect.replicateEffect(Effect.fork(read), 20)
        yield* Quiescence.idle
        expect(reads).toBe(2)
        yield* Fiber.interruptAll(first.slice(2, 4))
        for (let turns = 1; turns <= 8; turns++) {
          yield* turn
          expect(reads).toBe(2 + 2 * turns)
        }
      })
    )
)
