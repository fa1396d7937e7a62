import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SessionId } from "../../src/domain/Session.js"
import * as EventSignals from "../../src/services/EventSignals.js"
import { settle } from "./lane/fixture.js"

const session = SessionId.make("s1")
const other = SessionId.make("s2")

const signals = EventSignals.EventSignals

it.scoped("P10 a signal that comes while nobody waits makes the next wait return at once, once", () =>
  Effect.gen(function* () {
    const { signal, watch } = yield* signals
    const { next } = yield* watch(session)
    signal(session)
    signal(session)
    yield* next
    const waiting = yield* Effect.fork(next)
    yield* settle
    expect((yield* Fiber.poll(waiting))._tag).toBe("None")
    signal(other)
    yield* settle
    expect((yield* Fiber.poll(waiting))._tag).toBe("None")
    signal(session)
    yield* Fiber.join(waiting)
  }).pipe(Effect.provide(EventSignals.layer))
)

it.scoped("P10 no wake-up is lost to a watcher that is interrupted just as it is woken", () =>
  Effect.gen(function* () {
    const { signal, watch } = yield* signals
    const { next } = yield* watch(session)
    const waiting = yield* Effect.fork(next)
    yield* settle
    signal(session)
    yield* Fiber.interrupt(waiting)
    yield* next
  }).pipe(Effect.provide(EventSignals.layer))
)

it.scoped("every watcher of a session is woken, and all watchers when it is not known whose session changed", () =>
  Effect.gen(function* () {
    const { signal, signalAll, watch } = yield* signals
    const watches = yield* Effect.all([watch(session), watch(session), watch(other)])
    const waiting = yield* Effect.forEach(watches, ({ next }) => Effect.fork(next))
    yield* settle
    signal(session)
    yield* settle
    expect((yield* Effect.forEach(waiting, Fiber.poll)).map(({ _tag }) => _tag)).toEqual(["Some", "Some", "None"])
    signalAll()
    yield* Fiber.joinAll(waiting)
  }).pipe(Effect.provide(EventSignals.layer))
)

it.scoped("whoever watches is counted, until its scope closes", () =>
  Effect.gen(function* () {
    const { watch, watched, whenWatched } = yield* signals
    const someone = yield* Effect.fork(whenWatched)
    yield* settle
    expect((yield* Fiber.poll(someone))._tag).toBe("None")
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* watch(session)
        yield* Fiber.join(someone)
        expect(yield* watched).toBe(1)
      })
    )
    expect(yield* watched).toBe(0)
  }).pipe(Effect.provide(EventSignals.layer))
)
