import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, Fiber, Layer, Scope } from "effect"
import { Quiescence } from "skein/testing"
import { SessionId } from "../../../../src/domain/Session.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"

const [s1, s2] = [SessionId.make("s1"), SessionId.make("s2")]

const layer = Layer.provideMerge(EventSignals.layer, Quiescence.layer)

const test = <E>(name: string, body: (signals: EventSignals.Service) => Effect.Effect<void, E, Scope.Scope>) => {
  it.scoped(name, () => Effect.provide(Effect.flatMap(EventSignals.EventSignals, body), layer))
}

/** Waits for the next signal in a fiber of its own. */
const waiting = (watch: { readonly next: Effect.Effect<void> }) =>
  Effect.zipLeft(Effect.fork(watch.next), Quiescence.idle)

const isWoken = (fiber: Fiber.RuntimeFiber<void>) => Effect.map(Quiescence.idle, () => fiber.unsafePoll() !== null)

describe("P10 a watcher", () => {
  test("P10 is woken by a signal of its session, and of no other", (signals) =>
    Effect.gen(function* () {
      const fiber = yield* waiting(yield* signals.watch(s1))
      signals.signal(s2)
      expect(yield* isWoken(fiber)).toBe(false)
      signals.signal(s1)
      expect(yield* isWoken(fiber)).toBe(true)
    }))

  test("P10 of any session is woken when it is not known which session changed", (signals) =>
    Effect.gen(function* () {
      const fibers = [yield* waiting(yield* signals.watch(s1)), yield* waiting(yield* signals.watch(s2))]
      signals.signalAll()
      for (const fiber of fibers) expect(yield* isWoken(fiber)).toBe(true)
    }))

  test("P10 misses no signal that comes while it reads; many count as one", (signals) =>
    Effect.gen(function* () {
      const watch = yield* signals.watch(s1)
      signals.signal(s1)
      signals.signal(s1)
      yield* watch.next
      const fiber = yield* waiting(watch)
      expect(yield* isWoken(fiber)).toBe(false)
      signals.signal(s1)
      expect(yield* isWoken(fiber)).toBe(true)
    }))

  test("P10 does not lose a signal when its wait was interrupted", (signals) =>
    Effect.gen(function* () {
      const watch = yield* signals.watch(s1)
      const fiber = yield* waiting(watch)
      signals.signal(s1)
      yield* Fiber.interrupt(fiber)
      const again = yield* waiting(watch)
      expect(yield* isWoken(again)).toBe(true)
    }))

  test("P10 that was interrupted without a signal waits for the next one", (signals) =>
    Effect.gen(function* () {
      const watch = yield* signals.watch(s1)
      yield* Fiber.interrupt(yield* waiting(watch))
      const again = yield* waiting(watch)
      expect(yield* isWoken(again)).toBe(false)
      signals.signal(s1)
      expect(yield* isWoken(again)).toBe(true)
    }))

  test("P10 is independent of others of the same session", (signals) =>
    Effect.gen(function* () {
      const [slow, quick] = [yield* signals.watch(s1), yield* signals.watch(s1)]
      for (let n = 0; n < 3; n++) {
        const fiber = yield* waiting(quick)
        signals.signal(s1)
        expect(yield* isWoken(fiber)).toBe(true)
      }
      expect(yield* isWoken(yield* waiting(slow))).toBe(true)
    }))

  test("P11 leaves nothing behind when its scope ends", (signals) =>
    Effect.gen(function* () {
      const scopes = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
      for (const [index, scope] of scopes.entries()) {
        yield* Scope.extend(signals.watch(index === 2 ? s2 : s1), scope)
      }
      expect(yield* signals.watched).toBe(2)
      for (const scope of scopes) yield* Scope.close(scope, Exit.void)
      expect(yield* signals.watched).toBe(0)
      signals.signal(s1)
    }))

  test("wakes work that is done only while somebody watches", (signals) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const poller = yield* waiting({ next: signals.whenWatched })
      expect(yield* isWoken(poller)).toBe(false)
      yield* Scope.extend(signals.watch(s1), scope)
      expect(yield* isWoken(poller)).toBe(true)
      yield* Scope.close(scope, Exit.void)
      expect(yield* isWoken(yield* waiting({ next: signals.whenWatched }))).toBe(false)
    }))

  it.scoped.prop(
    "P10 that reads after each wake-up has seen every change in the end",
    [FastCheck.array(FastCheck.constantFrom("change", "turn"), { maxLength: 40 }), FastCheck.constantFrom(10, 2_048)],
    ([steps, ops]) =>
      Effect.gen(function* () {
        const signals = yield* EventSignals.EventSignals
        const watch = yield* signals.watch(s1)
        let stored = 0
        let seen = 0
        const reading = Effect.forever(
          Effect.zipRight(
            Effect.sync(() => (seen = stored)),
            watch.next
          )
        )
        yield* Effect.fork(Effect.withMaxOpsBeforeYield(reading, ops))
        for (const step of steps) {
          if (step === "turn") yield* Effect.yieldNow()
          else {
            stored++
            signals.signal(s1)
          }
        }
        yield* Quiescence.idle
        expect(seen).toBe(stored)
      }).pipe(Effect.provide(layer)),
    { fastCheck: { numRuns: 40 } }
  )
})
