import { describe, expect, it } from "@effect/vitest"
import { type Clock, Deferred, Effect, Fiber } from "effect"
import { Quiescence } from "skein/testing"
import * as FairReads from "../../../../src/services/gateway/FairReads.js"

/** Reads that take three milliseconds each, by a clock that moves with them; turns of others end when the test says so. */
const world = Effect.gen(function* () {
  let [now, reads] = [0, 0]
  const turns: Array<Deferred.Deferred<void>> = []
  const clock: Clock.Clock = { ...(yield* Effect.clock), unsafeCurrentTimeMillis: () => now }
  const turn = Effect.flatMap(Deferred.make<void>(), (ended) => {
    turns.push(ended)
    return Deferred.await(ended)
  })
  const fair = FairReads.make(clock, turn)
  const read = Effect.sync(() => {
    now += 3
    reads++
  })
  return {
    turns: () => turns.length,
    reads: () => reads,
    read: fair(read),
    endTurn: Effect.suspend(() => Effect.forEach(turns, (turn) => Deferred.succeed(turn, undefined))).pipe(
      Effect.zipRight(Quiescence.idle)
    )
  }
})

describe("P3 P10 reads of many watchers", () => {
  it.scoped("go on for some milliseconds together, and then wait until all others had a turn", () =>
    Effect.gen(function* () {
      const { endTurn, read, reads, turns } = yield* world
      const all = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(read))
      yield* Quiescence.idle
      for (let turn = 1; turn <= 9; turn++) {
        expect([turns(), reads()]).toEqual([turn, 2 * turn])
        yield* endTurn
      }
      yield* Fiber.joinAll(all)
      expect([turns(), reads()]).toEqual([9, 20])
    }).pipe(Effect.provide(Quiescence.layer))
  )

  it.scoped("hold up nobody when the one is gone that let others have their turn", () =>
    Effect.gen(function* () {
      const { endTurn, read, reads, turns } = yield* world
      for (let n = 0; n < 2; n++) yield* read
      const first = yield* Effect.fork(read)
      const second = yield* Effect.fork(read)
      yield* Quiescence.idle
      expect([turns(), reads()]).toEqual([1, 2])
      yield* Fiber.interrupt(first)
      yield* Quiescence.idle
      yield* endTurn
      yield* Fiber.join(second)
      expect(reads()).toBe(3)
    }).pipe(Effect.provide(Quiescence.layer))
  )
})
