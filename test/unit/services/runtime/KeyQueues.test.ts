import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Fiber } from "effect"
import { Quiescence } from "skein/testing"
import * as KeyQueues from "../../../../src/services/runtime/KeyQueues.js"

/** For each of some slots, whether it is admitted. */
const admissions = Effect.fnUntraced(function* (slots: ReadonlyArray<KeyQueues.QueueSlot>) {
  const fibers = yield* Effect.forEach(slots, ({ admitted }) => Effect.fork(admitted))
  yield* Quiescence.idle
  const areAdmitted = fibers.map((fiber) => fiber.unsafePoll() !== null)
  yield* Fiber.interruptAll(fibers)
  return areAdmitted
}, Effect.provide(Quiescence.layer))

/** Whether a slot is admitted. */
const isAdmitted = (slot: KeyQueues.QueueSlot) => Effect.map(admissions([slot]), ([isAdmitted]) => isAdmitted)

describe("slots in the queue of a key", () => {
  it.effect("are admitted in the order in which they were taken", () =>
    Effect.gen(function* () {
      const queues = KeyQueues.make(1)
      const [first, second, third] = [queues.take("a"), queues.take("a"), queues.take("a")]
      expect(yield* admissions([first, second, third])).toEqual([true, false, false])
      first.leave()
      expect(yield* admissions([second, third])).toEqual([true, false])
      second.leave()
      expect(yield* isAdmitted(third)).toBe(true)
    })
  )

  it.effect("can be left from any position, and again without harm", () =>
    Effect.gen(function* () {
      const queues = KeyQueues.make(1)
      const [first, second, third] = [queues.take("a"), queues.take("a"), queues.take("a")]
      second.leave()
      second.leave()
      expect(yield* isAdmitted(third)).toBe(false)
      first.leave()
      first.leave()
      expect(yield* isAdmitted(third)).toBe(true)
    })
  )

  it.effect("of different keys do not wait for each other", () =>
    Effect.gen(function* () {
      const queues = KeyQueues.make(1)
      queues.take("a")
      expect(yield* isAdmitted(queues.take("b"))).toBe(true)
      expect(yield* isAdmitted(KeyQueues.free)).toBe(true)
    })
  )

  it.effect("are admitted as many at a time as the queue is wide", () =>
    Effect.gen(function* () {
      const queues = KeyQueues.make(2)
      const places = [queues.take("a"), queues.take("a"), queues.take("a"), queues.take("a")]
      expect(yield* admissions(places)).toEqual([true, true, false, false])
      places[1]?.leave()
      expect(yield* admissions(places)).toEqual([true, true, true, false])
    })
  )

  it("disappear with their queue when the last one is left", () => {
    const queues = KeyQueues.make(1)
    const places = [queues.take("a"), queues.take("a"), queues.take("b")]
    expect(queues.size()).toBe(2)
    for (const place of places) place.leave()
    expect(queues.size()).toBe(0)
  })

  it.effect.prop(
    "taken and left in any order, exactly the first ones in the queue are admitted",
    [
      FastCheck.integer({ min: 1, max: 3 }),
      FastCheck.array(FastCheck.oneof(FastCheck.constant("take" as const), FastCheck.nat(9)), { maxLength: 20 })
    ],
    ([width, steps]) =>
      Effect.gen(function* () {
        const queues = KeyQueues.make(width)
        const taken: Array<KeyQueues.QueueSlot> = []
        let standing: ReadonlyArray<KeyQueues.QueueSlot> = []
        for (const step of steps) {
          if (step === "take") {
            const place = queues.take("a")
            taken.push(place)
            standing = [...standing, place]
          } else {
            const left = taken[step]
            left?.leave()
            standing = standing.filter((place) => place !== left)
          }
          expect(yield* admissions(standing)).toEqual(standing.map((_, index) => index < width))
        }
        expect(queues.size()).toBe(standing.length === 0 ? 0 : 1)
      }),
    { fastCheck: { numRuns: 40 } }
  )
})
