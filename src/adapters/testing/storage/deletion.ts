import { Effect, Option } from "effect"
import { userText } from "../../../domain/Message.js"
import { SessionId } from "../../../domain/Session.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  storeResult,
  append,
  a1,
  admission,
  allowOnce,
  allowForSession,
  asset,
  assistant,
  create,
  createAndStart,
  destroy,
  events,
  transcriptLines,
  openBatch,
  secondEngine,
  firstEngine,
  purgeAll,
  q1,
  q2,
  question,
  r1,
  r2,
  r3,
  refused,
  result,
  s1,
  s2,
  takeover,
  seq,
  session,
  start,
  eventLines,
  transcript
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const deleted = { stopReason: "deleted", detail: null } as const

/** Makes a session with a row of every kind, and no live run. */
const full = Effect.gen(function* () {
  const storage = yield* Storage
  yield* create({ metadata: { a: 1 } })
  yield* storage.saveAsset(asset())
  const { lease } = yield* start({ idempotencyKey: "k", hash: "h" })
  yield* openBatch(lease, "c1", "c2")
  yield* storage.ask(lease, question(q1, 3, "c1"))
  yield* storage.answer(q1, allowForSession)
  yield* storage.ask(lease, question(q2, 4, "c2"))
  yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
  yield* storage.endRun(lease, deleted)
  return lease
})

export const deletionTests = (test: Test) => {
  stepTests(test)
  leftoverTests(test)
}

const stepTests = (test: Test) => {
  test("P7 delete: from the first step on, no message, run or answer is accepted", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.saveAsset(asset())
      const before = yield* session()
      yield* (yield* Now).set(2_000)
      yield* storage.beginDelete(s1)
      yield* storage.beginDelete(s1)
      expect(yield* (yield* StorageReader).deleting).toEqual([{ sessionId: s1, hidden: false }])

      const refusal = { _tag: "SessionDeleting", sessionId: s1 }
      expect(yield* refused(storage.patch(s1, { title: "x" }))).toEqual(refusal)
      expect(yield* refused(storage.patch(s1, { model: null }))).toEqual(refusal)
      expect(yield* refused(storage.patch(s1, { metadata: { a: 1 } }))).toEqual(refusal)
      expect(yield* refused(append(s1, [userText("Hi")]))).toEqual(refusal)
      expect(yield* refused(storage.admit(admission({ runId: r2, whenBusy: "queue" })))).toEqual(refusal)
      expect(yield* refused(storage.startNext(s1, firstEngine))).toEqual(refusal)
      expect(yield* refused(appendStep(lease, assistant("x")))).toEqual(refusal)
      expect(yield* refused(storage.startCall(lease, seq(4)))).toEqual({
        _tag: "LeaseLost",
        sessionId: s1,
        runId: r1
      })
      expect(yield* refused(storage.ask(lease, question(q2, 4, "c2")))).toEqual(refusal)
      expect(yield* refused(storage.answer(q1, allowOnce))).toEqual(refusal)
      expect(yield* refused(storage.saveAsset(asset()))).toEqual(refusal)
      expect(yield* refused(storage.deleteAsset(s1, a1))).toEqual(refusal)
      expect(yield* refused(create())).toEqual({ _tag: "SessionExists", sessionId: s1 })
      expect(yield* session()).toEqual(before)
    }))

  test("P7 delete: a used idempotency key is refused while its session is being deleted", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* createAndStart({ idempotencyKey: "k" })
      yield* storage.beginDelete(s1)
      expect(yield* refused(storage.admit(admission({ idempotencyKey: "k" })))).toMatchObject({
        _tag: "SessionDeleting"
      })
    }))

  test("P7 delete: the run that holds the session can still end, and watchers see it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* storage.startCall(lease, seq(3))
      yield* storage.ask(lease, question(q1, 4, "c2"))
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      yield* storage.beginDelete(s1)
      expect(yield* refused(storage.hide(s1))).toEqual({ _tag: "SessionBusy", sessionId: s1, runId: r1 })
      const { cursor } = yield* session()
      yield* storeResult(lease, seq(3), result("c1"))
      yield* storage.endRun(lease, deleted)
      expect(yield* storage.cancelQueued(r2)).toBe(true)
      expect(yield* eventLines(cursor)).toEqual([
        "call.finished c1 success",
        "message.appended 3 tool",
        "permission.answered q1 deny",
        "call.finished c2 never-started",
        "message.appended 4 tool",
        "call.finished c3 never-started",
        "message.appended 5 tool",
        "run.ended r1 deleted",
        "run.ended r2 cancelled"
      ])
      yield* storage.hide(s1)
    }))

  test("P7 delete: a dead run of the session ends, even if a human was asked", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.beginDelete(s1)
      const { cursor } = yield* session()
      expect(yield* storage.takeOver(takeover(lease), secondEngine)).toEqual({ _tag: "Ended" })
      expect(yield* eventLines(cursor)).toEqual([
        "permission.answered q1 deny",
        "call.finished c1 never-started",
        "message.appended 3 tool",
        "run.ended r1 crashed"
      ])
      yield* storage.hide(s1)
    }))

  test("P7 a session whose deletion has not begun is neither hidden nor purged nor forgotten", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* full
      const before = yield* session()
      expect(yield* refused(storage.hide(s1))).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
      expect(yield* storage.purge(s1)).toBe(0)
      yield* storage.forget(s1)
      expect(yield* session()).toEqual(before)
      yield* storage.beginDelete(s1)
      expect(yield* storage.purge(s1)).toBe(0)
      yield* storage.forget(s1)
      expect(yield* session()).toEqual(before)
      expect(yield* transcriptLines()).toHaveLength(4)
      expect(yield* storage.purge(s2)).toBe(0)
      yield* storage.forget(s2)
    }))

  test("P7 delete: a hidden session is missing for readers and writers alike, although its rows still exist", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const lease = yield* full
      yield* create({ id: s2 })
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)

      const missing = { _tag: "SessionNotFound", sessionId: s1 }
      expect(yield* refused(reader.session(s1))).toEqual(missing)
      expect((yield* reader.sessions({})).sessions.map(({ id }) => id)).toEqual([s2])
      expect((yield* reader.sessions({ total: true })).total).toBe(1)
      expect(yield* refused(transcript())).toEqual(missing)
      expect(yield* refused(reader.activity(s1))).toEqual(missing)
      expect(yield* refused(reader.occupancy(s1))).toEqual(missing)
      expect(yield* refused(reader.openBatch(s1))).toEqual(missing)
      expect(yield* refused(reader.events({ sessionId: s1, after: 0, limit: 1 }))).toEqual(missing)
      expect(yield* refused(reader.assets(s1))).toEqual(missing)
      expect(yield* refused(reader.asset(s1, a1))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
      expect(yield* refused(reader.run(r1))).toEqual({ _tag: "RunNotFound", runId: r1 })
      expect(yield* refused(reader.run(r1))).toEqual({ _tag: "RunNotFound", runId: r1 })
      expect(yield* refused(reader.question(q1))).toEqual({ _tag: "QuestionNotFound", questionId: q1 })
      expect(yield* reader.granted(s1)).toEqual(new Set())
      expect(yield* reader.deleting).toEqual([{ sessionId: s1, hidden: true }])

      expect(yield* refused(storage.beginDelete(s1))).toEqual(missing)
      expect(yield* refused(storage.hide(s1))).toEqual(missing)
      expect(yield* refused(storage.patch(s1, { title: "x" }))).toEqual(missing)
      expect(yield* refused(append(s1, []))).toEqual(missing)
      expect(yield* refused(storage.admit(admission({ runId: r3 })))).toEqual(missing)
      expect(yield* refused(storage.startNext(s1, firstEngine))).toEqual(missing)
      expect(yield* refused(storage.takeOver(takeover(lease), firstEngine))).toEqual(missing)
      expect(yield* storage.cancelQueued(r2)).toBe(false)
      expect(yield* refused(storage.answer(q1, allowOnce))).toMatchObject({ _tag: "QuestionNotFound" })
      expect(yield* refused(storage.endRun(lease, deleted))).toMatchObject({ _tag: "LeaseLost" })
      expect(yield* refused(storage.saveAsset(asset()))).toEqual(missing)
      expect(yield* refused(storage.deleteAsset(s1, a1))).toEqual(missing)
      expect(yield* refused(create())).toEqual({ _tag: "SessionExists", sessionId: s1 })
    }))
}

const leftoverTests = (test: Test) => {
  test("P11 no leftovers: a forgotten session leaves nothing behind, and its neighbours lose nothing", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* full
      const other = yield* createAndStart({ sessionId: s2, runId: r3, idempotencyKey: "k" })
      yield* openBatch(other.lease, "d1")
      const before = yield* session(s2)
      yield* destroy()
      expect(yield* reader.deleting).toEqual([])
      expect(yield* reader.questions(null)).toEqual([])
      expect(yield* refused(reader.run(r1))).toMatchObject({ _tag: "RunNotFound" })
      expect(yield* refused(reader.run(r2))).toMatchObject({ _tag: "RunNotFound" })
      expect(yield* session(s2)).toEqual(before)
      expect(yield* transcriptLines(s2)).toHaveLength(2)
      expect((yield* reader.openBatch(s2)).calls).toHaveLength(1)
    }))

  test("P11 no leftovers: a deletion may be repeated from any of its steps", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* full
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      yield* storage.forget(s1)
      expect(yield* (yield* StorageReader).deleting).toEqual([{ sessionId: s1, hidden: true }])
      expect(yield* refused(create())).toMatchObject({ _tag: "SessionExists" })
      yield* purgeAll()
      expect(yield* storage.purge(s1)).toBe(0)
      expect(yield* refused(create())).toMatchObject({ _tag: "SessionExists" })
      yield* storage.forget(s1)
      yield* storage.forget(s1)
      yield* create()
      yield* storage.forget(s1)
      yield* session()
    }))

  test("P11 no leftovers: a session of 3,000 messages is purged whole", () =>
    Effect.gen(function* () {
      yield* create()
      yield* append(
        s1,
        Array.from({ length: 3_000 }, (_, index) => userText(`message ${index}`))
      )
      yield* destroy()
      expect(yield* create()).toMatchObject({ head: 0 })
      expect(yield* transcript()).toEqual([])
    }))

  test("P11 no leftovers: a purge removes as many rows as were counted before, and none of a neighbour", () =>
    Effect.gen(function* () {
      const [storage, reader] = [yield* Storage, yield* StorageReader]
      yield* full
      yield* create({ id: s2 })
      yield* append(s2, [userText("stays")])
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      const [counted, neighbours] = [yield* reader.storedRows(s1), yield* reader.storedRows(s2)]
      expect(counted).toBeGreaterThan(0)
      let removed = 0
      for (let portion = yield* storage.purge(s1); portion > 0; portion = yield* storage.purge(s1)) removed += portion
      expect(removed).toBe(counted)
      expect(yield* reader.storedRows(s1)).toBe(0)
      expect(yield* reader.storedRows(s2)).toBe(neighbours)
      yield* storage.forget(s1)
      expect(yield* reader.storedRows(s1)).toBe(0)
    }))

  test("P11 an id that is used again starts from nothing: no old message, run, key, grant or asset", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* full
      yield* destroy()
      yield* create({ title: "Again" })
      expect(yield* session()).toMatchObject({ title: "Again", metadata: {}, head: 0, usage: { steps: 0 } })
      expect(yield* transcript()).toEqual([])
      expect(yield* reader.activity(s1)).toEqual({ holder: Option.none(), queued: [] })
      expect(yield* reader.granted(s1)).toEqual(new Set())
      expect(yield* reader.assets(s1)).toEqual([])
      expect(yield* refused(reader.question(q1))).toMatchObject({ _tag: "QuestionNotFound" })
      expect((yield* start({ runId: r3, idempotencyKey: "k", hash: "other" })).run.id).toBe(r3)
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
    }))

  test("P10 a cursor of a deleted session is gone, however often its id is used again", () =>
    Effect.gen(function* () {
      yield* create()
      yield* append(s1, [userText("1"), userText("2")])
      const first = yield* session()
      yield* destroy()
      const second = yield* create()
      expect(second.cursor).toBe(first.cursor + 2)
      const gone = { _tag: "CursorGone", sessionId: s1, oldest: second.cursor, newest: second.cursor }
      for (const after of [1, 2, 3]) expect(yield* refused(events(after))).toEqual({ ...gone, after })
      expect((yield* events(0)).map(({ cursor }) => cursor)).toEqual([second.cursor])
      expect((yield* events(first.cursor + 1)).map(({ cursor }) => cursor)).toEqual([second.cursor])
      yield* destroy()
      const third = yield* create()
      expect(third.cursor).toBe(second.cursor + 2)
      expect(yield* refused(events(second.cursor))).toMatchObject({ _tag: "CursorGone", oldest: third.cursor })
    }))

  test("P10 a cursor of a deleted session is gone, even if others were deleted after it", () =>
    Effect.gen(function* () {
      const createLong = Effect.zipRight(
        create(),
        append(
          s1,
          Array.from({ length: 5 }, () => userText("Hi"))
        )
      )
      yield* createLong
      yield* create({ id: s2 })
      const { cursor } = yield* session()
      yield* destroy()
      yield* destroy(s2)
      yield* createLong
      expect(yield* refused(events(cursor))).toMatchObject({ _tag: "CursorGone" })
    }))

  test("P7 nothing resurrects a session: an old lease stays void, even in a new session with the same id", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const lease = yield* full
      yield* destroy()
      const missing = { _tag: "SessionNotFound", sessionId: s1 }
      const lost = { _tag: "LeaseLost", sessionId: s1, runId: r1 }
      expect(yield* refused(appendStep(lease, assistant("x")))).toEqual(lost)
      expect(yield* refused(storage.startCall(lease, seq(3)))).toEqual(lost)
      expect(yield* refused(storeResult(lease, seq(3), result("c1")))).toEqual(lost)
      expect(yield* refused(storage.endRun(lease, deleted))).toEqual(lost)
      expect(yield* refused(storage.takeOver(takeover(lease), firstEngine))).toEqual(missing)
      expect(yield* refused(session())).toEqual(missing)
      yield* createAndStart({ runId: r3 })
      expect(yield* refused(appendStep(lease, assistant("x")))).toEqual(lost)
      expect(yield* storage.takeOver(takeover(lease), firstEngine)).toEqual({ _tag: "Lost" })
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
    }))

  test("P7 nothing resurrects a session: an operation on a deleted session is refused and creates nothing", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* storage.endRun(lease, deleted)
      yield* destroy()
      const gone = { _tag: "SessionNotFound", sessionId: s1 }
      expect(yield* refused(append(s1, [userText("Late")]))).toEqual(gone)
      expect(yield* refused(storage.admit(admission({ runId: r2 })))).toEqual(gone)
      expect(yield* refused(storage.patch(s1, { title: "Late" }))).toEqual(gone)
      expect(yield* refused(storage.saveAsset(asset()))).toEqual(gone)
      expect(yield* refused(session())).toEqual(gone)
      expect((yield* (yield* StorageReader).sessions({ total: true })).total).toBe(0)
    }))

  test("P11 sessions can be created and deleted concurrently, and again under the same ids", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 5 }, (_, index) => SessionId.make(`n${index}`))
      yield* Effect.forEach(ids, (id) => Effect.zipRight(create({ id }), destroy(id)), { concurrency: "unbounded" })
      yield* Effect.forEach(ids, (id) => Effect.zipRight(create({ id }), destroy(id)), { concurrency: "unbounded" })
      expect((yield* (yield* StorageReader).sessions({ total: true })).total).toBe(0)
    }))
}
