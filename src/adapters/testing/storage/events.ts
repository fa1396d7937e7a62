import { Effect, Fiber } from "effect"
import { userText } from "../../../domain/Message.js"
import { EventSignals } from "../../../services/storage/EventSignals.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  storeResult,
  append,
  admission,
  allowOnce,
  assistant,
  create,
  createAndStart,
  events,
  openBatch,
  q1,
  question,
  r2,
  refused,
  result,
  s1,
  seq,
  session,
  eventLines
} from "./fixture.js"
import type { Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

export const eventTests = (test: Test) => {
  test("P10 cursors have no gaps, and pages of events join without one", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.answer(q1, allowOnce)
      yield* storage.startCall(lease, seq(3))
      yield* storeResult(lease, seq(4), result("c2"))
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      yield* storage.patch(s1, { title: "x" })
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      const all = yield* events()
      expect(all.map(({ cursor }) => Number(cursor))).toEqual(all.map((_, index) => index + 1))
      expect((yield* session()).cursor).toBe(all.length)
      for (const limit of [1, 3, all.length, all.length + 1]) {
        const pages = []
        let after = 0
        for (;;) {
          const page = yield* reader.events({ sessionId: s1, after, limit })
          if (page.length === 0) break
          expect(page.length).toBeLessThanOrEqual(limit)
          pages.push(...page)
          after = page.at(-1)?.cursor ?? after
        }
        expect(pages).toEqual(all)
      }
    }))

  test("P10 a cursor past the session's newest event is refused as gone", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      expect(yield* events(3)).toEqual([])
      expect(yield* refused(events(4))).toEqual({
        _tag: "CursorGone",
        sessionId: s1,
        after: 4,
        oldest: 1,
        newest: 3
      })
      expect(yield* events(0)).toHaveLength(3)
    }))

  test("P10 replayed events show the current title and model", () =>
    Effect.gen(function* () {
      yield* create({ title: "First" })
      const storage = yield* Storage
      yield* storage.patch(s1, { title: "Second" })
      yield* storage.patch(s1, { model: { provider: "p", model: "one" } })
      yield* storage.patch(s1, { title: "Third" })
      yield* storage.patch(s1, { model: { provider: "p", model: "two" } })
      expect(yield* eventLines()).toEqual([
        "session.created Third",
        "session.renamed Third",
        "session.model two",
        "session.renamed Third",
        "session.model two"
      ])
    }))

  test("P2 seen means stored: what an operation did is readable when it returns", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const readable = <A, E, R>(change: Effect.Effect<A, E, R>) =>
        Effect.gen(function* () {
          const { cursor } = yield* session()
          yield* change
          expect((yield* session()).cursor).toBeGreaterThan(cursor)
          expect(yield* events(cursor)).not.toEqual([])
        })
      yield* readable(appendStep(lease, assistant("x", ["c1"])))
      yield* readable(storage.startCall(lease, seq(3)))
      yield* readable(storeResult(lease, seq(3), result("c1")))
      yield* readable(storage.endRun(lease, { stopReason: "completed", detail: null }))
      yield* readable(append(s1, [userText("x")]))
      yield* readable(storage.patch(s1, { title: "x" }))
    }))

  test("P10 a watcher is woken by each change, and can read it then", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const watch = yield* (yield* EventSignals).watch(s1)
      // A wake-up may come before the session exists, or with nothing new.
      const readable = (cursor: number) => Effect.orElseSucceed(eventLines(cursor), () => [])
      const woken = <A, E, R>(change: Effect.Effect<A, E, R>, ...lines: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const cursor = yield* session().pipe(
            Effect.map(({ cursor }) => cursor),
            Effect.orElseSucceed(() => 0)
          )
          const waiting = yield* Effect.fork(
            Effect.repeat(Effect.zipRight(watch.next, readable(cursor)), {
              until: (seen) => seen.length === lines.length
            })
          )
          yield* Effect.yieldNow()
          yield* change
          expect(yield* Fiber.join(waiting)).toEqual(lines)
        })
      yield* woken(create(), "session.created Title")
      yield* woken(storage.patch(s1, { title: "x" }), "session.renamed x")
      yield* woken(append(s1, [userText("x")]), "message.appended 1 user")
      yield* woken(storage.beginDelete(s1))
    }))
}
