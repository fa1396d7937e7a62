import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberRef, Queue } from "effect"
import { Permissions } from "skein"
import { Quiescence, SkeinTest } from "skein/testing"

const test = <A, E>(name: string, body: Effect.Effect<A, E>) => {
  it.effect(name, () => Effect.provide(body, Quiescence.layer))
}

/** Counts what fibers have done. */
const counter = () => {
  let count = 0
  return { add: Effect.sync(() => void count++), count: () => count }
}

const spin = Effect.forever(Effect.yieldNow())

const defect = (effect: Effect.Effect<void>) =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "none"))

describe("idle", () => {
  test(
    "waits for a chain of 10,000 forks, each of which yields once the one before it has ended",
    Effect.gen(function* () {
      const { add, count } = counter()
      const head = yield* Deferred.make<void>()
      let last = Deferred.await(head)
      for (let n = 0; n < 10_000; n++) {
        last = Fiber.join(yield* Effect.fork(last.pipe(Effect.zipRight(Effect.yieldNow()), Effect.zipRight(add))))
      }
      yield* Deferred.succeed(head, undefined)
      yield* Quiescence.idle
      expect(count()).toBe(10_000)
    })
  )

  test(
    "waits for 10,000 turns of one fiber, which take more than one macrotask",
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.repeatN(Effect.yieldNow(), 10_000))
      yield* Quiescence.idle
      expect(fiber.unsafePoll()).toEqual(Exit.void)
    })
  )

  test(
    "waits for a chain through promises, microtasks and macrotasks",
    Effect.gen(function* () {
      const { add, count } = counter()
      const ways = [
        Effect.promise(() => Promise.resolve()),
        Effect.promise(async () => {
          for (let n = 0; n < 50; n++) await Promise.resolve()
        }),
        Effect.async<void>((resume) => queueMicrotask(() => resume(Effect.void))),
        Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
      ]
      yield* Effect.fork(Effect.repeatN(Effect.forEach(ways, Effect.zipLeft(add)), 99))
      yield* Quiescence.idle
      expect(count()).toBe(400)
    })
  )

  test(
    "does not wait for a fiber that waits on a deferred, until the deferred is done",
    Effect.gen(function* () {
      const { add, count } = counter()
      const told = yield* Deferred.make<void>()
      yield* Effect.fork(
        Effect.zipRight(Deferred.await(told), Effect.repeatN(Effect.yieldNow(), 500)).pipe(Effect.zipRight(add))
      )
      yield* Quiescence.idle
      expect(count()).toBe(0)
      yield* Deferred.succeed(told, undefined)
      yield* Quiescence.idle
      expect(count()).toBe(1)
    })
  )

  test(
    "does not wait for a fiber that sleeps by the test's clock, nor for one that never returns",
    Effect.gen(function* () {
      const fibers = [yield* Effect.fork(Effect.sleep("1 millis")), yield* Effect.fork(Effect.never)]
      yield* Quiescence.idle
      expect(fibers.map((fiber) => fiber.unsafePoll())).toEqual([null, null])
    })
  )

  test(
    "returns when nothing is ready, again and again",
    Effect.gen(function* () {
      for (let n = 0; n < 100; n++) yield* Quiescence.idle
    })
  )

  test(
    "lets several fibers wait: each returns once no other fiber is ready",
    Effect.gen(function* () {
      const { add, count } = counter()
      const waiting = Effect.map(Quiescence.idle, count)
      const waiters = [yield* Effect.fork(waiting), yield* Effect.fork(waiting)]
      yield* Effect.fork(Effect.zipRight(Effect.repeatN(Effect.yieldNow(), 5_000), add))
      expect(yield* Fiber.join(Fiber.all(waiters))).toEqual([1, 1])
    })
  )

  test(
    "can be interrupted",
    Effect.gen(function* () {
      const spinning = yield* Effect.fork(spin)
      const waiting = yield* Effect.fork(Quiescence.idle)
      yield* Effect.yieldNow()
      expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true)
      yield* Fiber.interrupt(spinning)
      yield* Quiescence.idle
    })
  )

  test(
    "dies when a fiber spins for ever",
    Effect.gen(function* () {
      const spinning = yield* Effect.fork(spin)
      expect(yield* defect(Quiescence.idle)).toContain("still ready after 100000 turns")
      yield* Fiber.interrupt(spinning)
    })
  )

  test(
    "dies when two fibers wake each other for ever, though neither of them ever yields",
    Effect.gen(function* () {
      const [one, other] = [yield* Queue.unbounded<void>(), yield* Queue.unbounded<void>()]
      const pass = (from: Queue.Dequeue<void>, to: Queue.Enqueue<void>) =>
        Effect.forever(Effect.zipRight(Queue.take(from), Queue.offer(to, undefined)))
      const players = [yield* Effect.fork(pass(one, other)), yield* Effect.fork(pass(other, one))]
      yield* Queue.offer(one, undefined)
      expect(yield* defect(Quiescence.idle)).toContain("still ready after 100000 turns")
      yield* Fiber.interruptAll(players)
    })
  )

  it.effect("dies without Quiescence.layer", () =>
    Effect.map(defect(Quiescence.idle), (text) => expect(text).toContain("needs Quiescence.layer"))
  )
})

describe("layer", () => {
  const scheduler = FiberRef.get(FiberRef.currentScheduler)

  it.effect("restores the scheduler afterwards", () =>
    Effect.gen(function* () {
      const before = yield* scheduler
      const inside = yield* Effect.provide(scheduler, Quiescence.layer)
      expect(inside).not.toBe(before)
      expect(yield* scheduler).toBe(before)
    })
  )

  test(
    "of an engine inside another layer also counts the fibers outside",
    Effect.gen(function* () {
      const { add, count } = counter()
      const outside = yield* scheduler
      yield* Effect.fork(Effect.zipRight(Effect.repeatN(Effect.yieldNow(), 5_000), add))
      yield* Effect.gen(function* () {
        expect(yield* scheduler).toBe(outside)
        yield* Quiescence.idle
        expect(count()).toBe(1)
      }).pipe(Effect.provide(SkeinTest.layer({ policy: Permissions.allowAll })))
    })
  )

  it.effect("comes with SkeinTest.layer", () =>
    Quiescence.idle.pipe(Effect.provide(SkeinTest.layer({ policy: Permissions.allowAll })))
  )
})
