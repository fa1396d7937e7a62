import { Effect, Fiber, Runtime } from "effect"
import { Owner, type SessionId } from "../../../domain/Session.js"
import { EventSignals } from "../../../services/storage/EventSignals.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import { append, create, createAndStart, destroy, openBatch, purgeAll, q1, question, s1, s2 } from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"
import { userText } from "../../../domain/Message.js"

const smith = Owner.make("smith")

/** What a listener to all sessions is told, as lines, each with the title that readers see from that signal on. */
const heard = Effect.gen(function* () {
  const reader = yield* StorageReader
  const runFork = Runtime.runFork(yield* Effect.runtime<never>())
  const lines: Array<Fiber.Fiber<string>> = []
  const read = (sessionId: SessionId, what: string) => {
    const title = Effect.match(reader.session(sessionId), {
      onFailure: ({ _tag }) => _tag,
      onSuccess: ({ title }) => title
    })
    lines.push(runFork(Effect.map(title, (title) => `${sessionId} ${what}: ${title}`)))
  }
  const listener = {
    changed: (sessionId: SessionId) => read(sessionId, "changed"),
    gone: (sessionId: SessionId, owner: Owner | null) => read(sessionId, `of ${owner ?? "nobody"} gone`),
    unknown: () => {}
  }
  const signals = yield* EventSignals
  yield* Effect.acquireRelease(
    Effect.sync(() => signals.listenToAll(listener)),
    (end) => Effect.sync(end)
  )
  return Effect.suspend(() => Effect.forEach(lines.splice(0), Fiber.join))
})

export const changeTests = (test: Test) => {
  test("P2 each commit signals which session it changed once readers see it, and hiding one that it is gone", () =>
    Effect.gen(function* () {
      const [reader, storage] = [yield* StorageReader, yield* Storage]
      const told = yield* heard
      yield* create({ owner: smith })
      expect(yield* told).toEqual(["s1 changed: Title"])
      yield* create({ id: s2 })
      expect(yield* told).toEqual(["s2 changed: Title"])
      yield* storage.patch(s1, { title: "Other" })
      expect(yield* told).toEqual(["s1 changed: Other"])
      yield* storage.patch(s1, { metadata: { a: 1 } })
      expect(yield* told).toEqual(["s1 changed: Other"])
      yield* Effect.ignore(storage.patch(s2, { title: "" }))
      expect(yield* told).toEqual([])
      yield* storage.beginDelete(s1)
      expect(yield* told).toEqual(["s1 changed: Other"])
      yield* storage.hide(s1)
      expect(yield* told).toEqual(["s1 of smith gone: SessionNotFound"])
      expect((yield* reader.changes({ from: 0, to: 9_000, limit: 9 })).deletions).toBe(1)
      yield* purgeAll(s1)
      yield* storage.forget(s1)
      expect((yield* told).filter((line) => line.includes("gone"))).toEqual([])
      yield* destroy(s2)
      expect(yield* told).toContain("s2 of nobody gone: SessionNotFound")
      expect((yield* reader.changes({ from: 0, to: 9_000, limit: 9 })).deletions).toBe(2)
    }))

  test("states are read by session id: cursor, newest event, activity and holder", () =>
    Effect.gen(function* () {
      const [reader, storage] = [yield* StorageReader, yield* Storage]
      yield* create({ owner: smith })
      const { lease } = yield* createAndStart({ sessionId: s2 })
      const states = Effect.map(reader.states([s2, s1, s2]), (all) => new Map(all.map((one) => [one.sessionId, one])))
      const before = yield* states
      expect(before.size).toBe(2)
      expect(before.get(s1)).toEqual({
        sessionId: s1,
        owner: smith,
        cursor: 1,
        updatedAt: 1_000,
        kind: "session.created",
        activity: "idle",
        tenancy: null
      })
      expect(before.get(s2)).toMatchObject({
        cursor: 3,
        kind: "message.appended",
        activity: "running",
        tenancy: { lease, engine: { instance: "i1" }, beat: { count: 1 } }
      })
      yield* openBatch(lease, "c1")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* (yield* Now).set(5_000)
      yield* append(s1, [userText("one")])
      const after = yield* states
      expect(after.get(s1)).toMatchObject({ cursor: 2, updatedAt: 5_000, kind: "message.appended" })
      expect(after.get(s2)).toMatchObject({ kind: "permission.asked", activity: "asks" })
      yield* destroy(s1)
      expect([...(yield* states).keys()]).toEqual([s2])
      expect(yield* reader.states([])).toEqual([])
    }))

  test("sessions that changed in a period are found by their newest change, the oldest first", () =>
    Effect.gen(function* () {
      const [now, reader, storage] = [yield* Now, yield* StorageReader, yield* Storage]
      yield* create()
      yield* create({ id: s2 })
      yield* now.set(2_000)
      yield* storage.patch(s1, { metadata: { a: 1 } })
      const found = (from: number, to: number, limit = 9) =>
        Effect.map(reader.changes({ from, to, limit }), ({ sessions }) =>
          sessions.map(({ cursor, sessionId, updatedAt }) => [sessionId, cursor, updatedAt])
        )
      const [one, two] = [
        [s1, 1, 2_000],
        [s2, 1, 1_000]
      ]
      expect(yield* found(0, 9_000)).toEqual([two, one])
      expect(yield* found(0, 9_000, 1)).toEqual([two])
      expect(yield* found(1_000, 1_999)).toEqual([two])
      expect(yield* found(1_001, 2_000)).toEqual([one])
      expect(yield* found(2_001, 9_000)).toEqual([])
      yield* storage.beginDelete(s1)
      expect(yield* found(2_000, 2_000)).toEqual([one])
      yield* storage.hide(s1)
      expect(yield* found(0, 9_000)).toEqual([two])
    }))
}
