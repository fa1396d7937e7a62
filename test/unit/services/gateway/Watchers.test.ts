import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream, Supervisor, TestClock } from "effect"
import { Model, type Session, SessionEvent, Usage } from "skein"
import { Gate, Quiescence } from "skein/testing"
import * as Collector from "../../../support/Collector.js"
import { ground } from "../runtime/engines.js"
import type { Opened } from "../runtime/fixture.js"

const count = 300

/** An engine that counts its reads. */
const counting = (options: { readonly models?: Model.Model } = {}) =>
  Effect.gen(function* () {
    const reads = { events: 0, drafts: 0 }
    const { open } = yield* ground
    const engine = yield* open("a", {
      ...(options.models === undefined ? {} : { models: Model.always(options.models) }),
      reader: (reader) => ({
        ...reader,
        events: (range) => Effect.suspend(() => (reads.events++, reader.events(range))),
        draft: (sessionId) => Effect.suspend(() => (reads.drafts++, reader.draft(sessionId)))
      })
    })
    return { ...engine, open, reads }
  })

/** Several watchers of a session, for as long as the scope is open, with what each was told. */
const watching = ({ gateway }: Opened, sessionId: Session.Id, after: Session.Cursor, watchers = count) =>
  Effect.forEach(
    Array.from({ length: watchers }, (): Array<SessionEvent.SessionEvent> => []),
    (told) =>
      Effect.as(
        Effect.forkScoped(
          Stream.runForEach(gateway.events({ sessionId, after }), (event) => Effect.sync(() => told.push(event)))
        ),
        told
      )
  ).pipe(Effect.zipLeft(Quiescence.idle))

const titles = (events: ReadonlyArray<SessionEvent.SessionEvent>) =>
  events.flatMap((event) => (event.type === "session.renamed" ? [event.title] : []))

const text = (events: ReadonlyArray<SessionEvent.SessionEvent>) =>
  events.flatMap((event) => (event.type === "text.delta" ? [event.text] : [])).join("")

const part = (delta: string): Model.Part => ({ type: "text", id: "t", delta })
const finish: Model.Part = { type: "finish", reason: "stop", usage: Usage.unknown }

/** Writes one word after the other, each when its gate is opened. */
const gated = (gate: Gate.Gate, words: ReadonlyArray<string>): Model.Model => ({
  provider: "test",
  model: "gated",
  contextTokens: null,
  step: () =>
    Stream.fromIterable(words).pipe(
      Stream.mapEffect((word) => Effect.as(gate.pass(word), part(word))),
      Stream.concat(Stream.make(finish))
    )
})

describe("P3 P10 watchers of one session", () => {
  it.scoped("share each read, however many they are", () =>
    Effect.gen(function* () {
      const engine = yield* counting()
      const { gateway, reads, session } = engine
      const { cursor, id } = yield* session()
      const everybody = yield* watching(engine, id, cursor)
      Object.assign(reads, { events: 0, drafts: 0 })
      const names = Array.from({ length: 10 }, (_, n) => `title ${n}`)
      for (const name of names) {
        yield* gateway.patch({ sessionId: id, title: name })
        yield* Quiescence.idle
      }
      for (const told of everybody) expect(titles(told)).toEqual(names)
      // All are told the same event objects, so that each is encoded once.
      expect(new Set(everybody.flat()).size).toBe(10)
      expect(reads).toEqual({ events: 10, drafts: 10 })
    })
  )

  it.scoped("cause no reads for text that a step of the same engine writes", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const words = Array.from({ length: 15 }, (_, n) => `word ${n} `)
      const engine = yield* counting({ models: gated(gate, words) })
      const { begin, reads } = engine
      const run = yield* begin("go")
      const everybody = yield* watching(engine, run.sessionId, run.cursor, 50)
      Object.assign(reads, { events: 0, drafts: 0 })
      for (const word of words.slice(0, -1)) {
        yield* gate.open(word)
        yield* Quiescence.idle
        yield* TestClock.adjust("40 millis")
        yield* Quiescence.idle
      }
      expect(reads).toEqual({ events: 0, drafts: 0 })
      for (const told of everybody) {
        expect(told.flatMap((event) => (event.type === "text.delta" ? [event.text] : []))).toEqual(words.slice(0, -1))
      }
    })
  )

  it.scoped("get one delta per 40 ms, and the rest just before the step's message", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const words = ["one ", "two ", "three ", "four "]
      const engine = yield* counting({ models: gated(gate, words) })
      const run = yield* engine.begin("go")
      const [told = []] = yield* watching(engine, run.sessionId, run.cursor, 1)
      const after = (word: string) => Effect.zipRight(gate.open(word), Effect.as(Quiescence.idle, text(told)))
      yield* after("one ")
      expect(text(told)).toBe("one ")
      yield* after("two ")
      yield* TestClock.adjust("39 millis")
      yield* after("three ")
      expect(text(told)).toBe("one ")
      yield* TestClock.adjust("1 millis")
      yield* Quiescence.idle
      expect(text(told)).toBe("one two three ")
      yield* after("four ")
      expect(text(told)).toBe("one two three four ")
      expect(told.map(({ type }) => type).slice(-2)).toEqual(["message.appended", "run.ended"])
    })
  )

  it.scoped("share one read of the draft when the run is in another engine", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const engine = yield* counting()
      const other = yield* engine.open("b", { models: Model.always(gated(gate, ["one ", "two "])) })
      const run = yield* other.begin("go")
      yield* Quiescence.idle
      const { cursor } = yield* engine.gateway.session(run.sessionId)
      const everybody = yield* watching(engine, run.sessionId, cursor, 50)
      yield* gate.open("one ")
      yield* Quiescence.idle
      Object.assign(engine.reads, { events: 0, drafts: 0 })
      yield* TestClock.adjust("700 millis")
      yield* Quiescence.idle
      for (const told of everybody) expect(text(told)).toBe("one ")
      expect(engine.reads).toEqual({ events: 1, drafts: 1 })
    })
  )

  it.scoped("take one fiber each and one for all of them, which ends when the last one leaves", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      const fibers = Effect.map(supervisor.value, (all) => all.length)
      yield* Effect.gen(function* () {
        const engine = yield* counting()
        const { cursor, id } = yield* engine.session()
        yield* Quiescence.idle
        const before = yield* fibers
        for (const watchers of [1, 50]) {
          const scope = yield* Scope.make()
          yield* Effect.forEach(
            Array.from({ length: watchers }),
            () =>
              Effect.flatMap(Stream.toPull(engine.gateway.events({ sessionId: id, after: cursor })), Effect.forkScoped),
            { discard: true }
          ).pipe(Scope.extend(scope))
          yield* Quiescence.idle
          expect((yield* fibers) - before).toBe(watchers + 1)
          yield* Scope.close(scope, Exit.void)
          expect((yield* fibers) - before).toBe(0)
        }
        Object.assign(engine.reads, { events: 0, drafts: 0 })
        yield* engine.gateway.patch({ sessionId: id, title: "nobody looks" })
        yield* Quiescence.idle
        expect(engine.reads).toEqual({ events: 0, drafts: 0 })
      }).pipe(Effect.supervised(supervisor))
    })
  )

  it.scoped("that do not read cause no more reads than events are kept for all", () =>
    Effect.gen(function* () {
      const engine = yield* counting()
      const { gateway, reads, session } = engine
      const { cursor, id } = yield* session()
      const pulls = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Stream.toPull(gateway.events({ sessionId: id, after: cursor }))
      )
      const first = yield* Effect.forEach(pulls, Effect.fork)
      yield* Quiescence.idle
      yield* gateway.patch({ sessionId: id, title: "title 0" })
      yield* Effect.forEach(first, (fiber) => fiber.await)
      Object.assign(reads, { events: 0, drafts: 0 })
      for (let n = 1; n <= 400; n++) {
        yield* gateway.patch({ sessionId: id, title: `title ${n}` })
        yield* Quiescence.idle
      }
      expect(reads.events).toBeLessThanOrEqual(256)
      for (const pull of pulls) {
        let next = cursor + 2
        while (next <= cursor + 401) {
          for (const event of yield* pull) expect(SessionEvent.isDurable(event) && event.cursor).toBe(next++)
        }
      }
    })
  )

  it.scoped("that never read keep neither a queue nor old events in memory", () =>
    Effect.gen(function* () {
      const engine = yield* counting()
      const { gateway, session } = engine
      const { cursor, id } = yield* session()
      const pulls = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Stream.toPull(gateway.events({ sessionId: id, after: cursor }))
      )
      const first = yield* Effect.forEach(pulls, Effect.fork)
      const told: Array<WeakRef<SessionEvent.SessionEvent>> = []
      yield* Effect.forkScoped(
        Stream.runForEach(gateway.events({ sessionId: id, after: cursor }), (event) =>
          Effect.sync(() => told.push(new WeakRef(event)))
        )
      )
      yield* Quiescence.idle
      for (let n = 0; n <= 600; n++) {
        yield* gateway.patch({ sessionId: id, title: `title ${n}` })
        yield* Quiescence.idle
      }
      yield* Effect.forEach(first, (fiber) => fiber.await)
      expect(told.length).toBe(601)
      const kept = yield* Effect.promise(() => Collector.alive(told))
      expect(kept).toBeLessThanOrEqual(256 + 2)
    })
  )

  it.scoped("that are a little behind cause no reads of their own", () =>
    Effect.gen(function* () {
      const engine = yield* counting()
      const { gateway, reads, session } = engine
      const { cursor, id } = yield* session()
      const slow = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Stream.toPull(gateway.events({ sessionId: id, after: cursor }))
      )
      const first = yield* Effect.forEach(slow, Effect.fork)
      yield* watching(engine, id, cursor, 1)
      yield* gateway.patch({ sessionId: id, title: "title 0" })
      yield* Effect.forEach(first, (fiber) => fiber.await)
      Object.assign(reads, { events: 0, drafts: 0 })
      for (let n = 1; n <= 100; n++) {
        yield* gateway.patch({ sessionId: id, title: `title ${n}` })
        yield* Quiescence.idle
      }
      expect(reads.events).toBe(100)
      for (const pull of slow) expect((yield* pull).length).toBe(100)
      expect(reads.events).toBe(100)
    })
  )
})
