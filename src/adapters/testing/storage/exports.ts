/**
 * The promises of exports and imports: settled data comes out as it is stored, and an import is seen whole or not at
 * all.
 */
import { Chunk, Effect, Stream } from "effect"
import type { CallDisplay } from "../../../domain/CallDisplay.js"
import type * as Export from "../../../domain/Export.js"
import { userText } from "../../../domain/Message.js"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId } from "../../../domain/Run.js"
import { SessionId } from "../../../domain/Session.js"
import * as Actor from "../../../services/Actor.js"
import { type AppendKey, Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  a1,
  admission,
  allowForSession,
  append,
  appendStep,
  asset,
  assistant,
  create,
  destroy,
  eventLines,
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
  seq,
  session,
  start,
  storeResult,
  transcript,
  transcriptLines,
  usage
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const asAnn = Actor.as(Actor.Actor.make("ann"))

const editing: CallDisplay = { kind: "edit", title: "Edit a.ts", locations: [{ path: "/a.ts", line: 3 }] }
const appendKey: AppendKey = { key: "k", hash: "appended" }
const completed = { stopReason: "completed", detail: null } as const

/**
 * A session with a row of every kind, and no live run. Its calls finished in a different order from the transcript's.
 */
const full = Effect.gen(function* () {
  const storage = yield* Storage
  const now = yield* Now
  yield* create({
    metadata: { a: [1, null] },
    model: { provider: "p", model: "m" },
    parent: s2,
    placement: "a-host",
    title: null
  })
  yield* asAnn(append(s1, [userText("Earlier")], appendKey))
  yield* storage.saveAsset(asset({ sha256: "ab".repeat(32) }))
  yield* now.set(2_000)
  const first = yield* asAnn(start({ idempotencyKey: "run", hash: "h", metadata: { by: "Ann" } }))
  const step = assistant("I call", ["c1", "c2"], { usage: usage(10, 2) })
  yield* appendStep(first.lease, step, { startedAt: 1_500, displays: [editing] })
  yield* storage.ask(first.lease, question(q1, 4, "c1"))
  yield* storage.answer(q1, allowForSession)
  yield* now.set(3_000)
  yield* storage.startCall(first.lease, seq(5))
  yield* storeResult(first.lease, seq(5), result("c2"))
  yield* now.set(4_000)
  yield* storage.startCall(first.lease, seq(4), editing)
  yield* storeResult(first.lease, seq(4), result("c1"))
  yield* storage.endRun(first.lease, { stopReason: "failed", detail: "no answer" })
  const resumption = { sessionId: s1, runId: r2, of: { runId: r1 }, presence: firstEngine } as const
  const resumed = yield* storage.resume(resumption)
  if (resumed._tag !== "Started") return yield* Effect.dieMessage(resumed._tag)
  yield* appendStep(resumed.lease, assistant("Done", [], { usage: usage(20, 3) }), { end: completed })
})

const exported = (sessionId = s1) =>
  Effect.gen(function* () {
    const lines = Chunk.toReadonlyArray(yield* Stream.runCollect((yield* StorageReader).exported(sessionId)))
    const [first] = lines
    if (first?.type !== "session") return yield* Effect.dieMessage("no session comes first")
    return { session: first, rows: lines.flatMap((line) => (line.type === "session" ? [] : [line])) }
  })

interface Exported {
  readonly session: Export.Session
  readonly rows: ReadonlyArray<Export.Row>
}

/** Imports in portions of one row. */
const importAll = ({ rows, session }: Exported) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* storage.beginImport(session)
    for (const row of rows) yield* storage.importRows(session.id, [row])
    yield* storage.finishImport([session.id])
  })

/** The same session under other ids. */
const renamed = ({ rows, session }: Exported): Exported => {
  const run = (id: RunId) => RunId.make(`other-${id}`)
  return {
    session: { ...session, id: s2 },
    rows: rows.map((row): Export.Row => {
      if (row.type === "run")
        return { ...row, id: run(row.id), resumes: row.resumes === null ? null : run(row.resumes) }
      if (row.type === "message") return { ...row, runId: row.runId === null ? null : run(row.runId) }
      if (row.type === "question") return { ...row, id: QuestionId.make(`other-${row.id}`), runId: run(row.runId) }
      return row
    })
  }
}

/** What readers see of a session, without its cursors. */
const seen = (sessionId = s1) =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    const { cursor: _, ...own } = yield* session(sessionId)
    return {
      own,
      transcript: yield* transcript(sessionId),
      timeline: Chunk.toReadonlyArray(yield* Stream.runCollect(reader.timeline({ sessionId }))),
      runs: yield* reader.runs({ sessionId }),
      assets: yield* reader.assets(sessionId),
      granted: yield* reader.granted(sessionId),
      open: yield* reader.openBatch(sessionId)
    }
  })

export const exportTests = (test: Test) => {
  settledTests(test)
  importTests(test)
}

const settledTests = (test: Test) => {
  test("P2 seen means stored: an imported session is as it was when exported, with one event", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* full
      const before = yield* seen()
      const asked = yield* reader.question(q1)
      const { cursor } = yield* session()
      const out = yield* exported()
      expect(out.session).toMatchObject({ going: null, waiting: 0, head: 6 })
      yield* destroy()
      yield* (yield* Now).set(9_000)
      yield* asAnn(importAll(out))
      expect(yield* seen()).toEqual(before)
      expect(yield* reader.question(q1)).toEqual(asked)
      expect(yield* exported()).toEqual({ ...out, session: { ...out.session, cursor: (yield* session()).cursor } })

      const after = yield* session()
      expect(after.cursor).toBeGreaterThan(cursor + 1)
      expect(yield* reader.oldestCursor(s1)).toBe(after.cursor)
      expect(yield* eventLines()).toEqual([`session.created ${after.title}`])
      expect(yield* reader.events({ sessionId: s1, after: 0, limit: 1 })).toMatchObject([{ actor: "ann", at: 9_000 }])
      expect(yield* refused(reader.events({ sessionId: s1, after: cursor, limit: 1 }))).toMatchObject({
        _tag: "CursorGone"
      })
      expect(yield* reader.deleting).toEqual([])
      const changedSince = (since: number) => Effect.map(reader.sessions({ since, total: true }), ({ total }) => total)
      expect([yield* changedSince(9_000), yield* changedSince(9_001)]).toEqual([1, 0])
    }))

  test("P5 at most once: an imported session knows its keys and can go on", () =>
    Effect.gen(function* () {
      yield* full
      const out = yield* exported()
      yield* destroy()
      yield* importAll(out)
      const known = { _tag: "Existing", run: { id: r2 } }
      expect(yield* (yield* Storage).admit(admission({ runId: r3, idempotencyKey: "run", hash: "h" }))).toMatchObject(
        known
      )
      expect(yield* append(s1, [userText("Earlier")], appendKey)).toMatchObject([{ seq: 1 }])
      const { cursor } = yield* session()
      const { lease } = yield* start({ runId: r3 })
      yield* appendStep(lease, assistant("Hi", ["c9"], { usage: usage(1, 1) }))
      yield* storeResult(lease, seq(9), result("c9"))
      yield* appendStep(lease, assistant("Done"), { end: completed })
      expect((yield* transcriptLines()).slice(5)).toEqual([
        "6 assistant Done",
        "7 user Hello",
        "8 assistant Hi",
        "9 success c9",
        "10 assistant Done"
      ])
      expect((yield* eventLines(cursor))[0]).toBe("run.started r3")
      expect(yield* session()).toMatchObject({ usage: { steps: 4, inputTokens: 31 } })
    }))

  test("P2 seen means stored: a session can be imported under other ids, next to the original", () =>
    Effect.gen(function* () {
      yield* full
      const before = yield* seen()
      yield* importAll(renamed(yield* exported()))
      expect(yield* seen()).toEqual(before)
      const copy = yield* seen(s2)
      expect(copy.transcript.map(({ message }) => message)).toEqual(before.transcript.map(({ message }) => message))
      expect(copy.timeline).toHaveLength(before.timeline.length)
      expect(copy.runs.map(({ id }) => id)).toEqual([`other-${r2}`, `other-${r1}`])
      expect(copy.own).toEqual({ ...before.own, id: s2 })
      expect(yield* (yield* StorageReader).asset(s2, a1)).toMatchObject({ sessionId: s2 })
    }))

  test("P4 always sendable: only the settled part of a session with a run is exported", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create()
      const { lease } = yield* start()
      yield* appendStep(lease, assistant("One", ["c1"], { usage: usage(10, 2) }))
      yield* storeResult(lease, seq(3), result("c1"))
      yield* appendStep(lease, assistant("Two", ["c2", "c3"], { usage: usage(30, 4) }))
      yield* storage.ask(lease, question(q2, 6, "c3"))
      yield* storage.answer(q2, allowForSession)
      yield* storeResult(lease, seq(5), result("c2"))
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      expect(yield* session()).toMatchObject({ head: 5 })
      const { rows, session: own } = yield* exported()
      expect(own).toMatchObject({
        head: 3,
        going: r1,
        waiting: 1,
        usage: { steps: 1, inputTokens: 10, outputTokens: 2 }
      })
      const shown = rows.map((row) => (row.type === "message" ? `${row.seq}` : row.type))
      expect(shown).toEqual(["run", "1", "2", "3", "grant"])
      expect(rows[0]).toMatchObject({ id: r1, stopReason: "crashed", usage: { steps: 1, inputTokens: 10 } })

      yield* storeResult(lease, seq(6), result("c3"))
      expect((yield* exported()).session).toMatchObject({ head: 6, going: r1, usage: { steps: 2, inputTokens: 40 } })
    }))

  test("P4 always sendable: a run that was going on when exported can be resumed after the import", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create()
      const { lease } = yield* start()
      yield* appendStep(lease, assistant("One", ["c1"]))
      const out = yield* exported()
      yield* storage.endRun(lease, completed)
      yield* destroy()
      yield* importAll(out)
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
      const of = { runId: r1 }
      expect(yield* storage.resume({ sessionId: s1, runId: r2, of, presence: firstEngine })).toMatchObject({
        _tag: "Started",
        run: { id: r2 }
      })
    }))
}

const importTests = (test: Test) => {
  test("P7 one boundary: a session that is being imported is missing until the last step", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* full
      const { rows, session: own } = yield* exported()
      yield* destroy()
      yield* storage.beginImport(own)
      yield* storage.importRows(s1, rows)
      const missing = { _tag: "SessionNotFound", sessionId: s1 }
      expect(yield* refused(reader.session(s1))).toEqual(missing)
      expect((yield* reader.sessions({ total: true })).total).toBe(0)
      expect(yield* refused(reader.run(r1))).toMatchObject({ _tag: "RunNotFound" })
      expect(yield* refused(reader.question(q1))).toMatchObject({ _tag: "QuestionNotFound" })
      expect(yield* refused(append(s1, [userText("Hi")]))).toEqual(missing)
      expect(yield* refused(storage.beginDelete(s1))).toEqual(missing)
      expect(yield* reader.deleting).toEqual([{ sessionId: s1, hidden: true }])
      const exists = { _tag: "SessionExists", sessionId: s1 }
      expect(yield* refused(create())).toEqual(exists)
      expect(yield* refused(storage.beginImport(own))).toEqual(exists)
      yield* storage.finishImport([s1])
      expect(yield* refused(storage.finishImport([s1]))).toEqual(missing)
      expect(yield* refused(storage.importRows(s1, []))).toEqual(missing)
      expect(yield* session()).toMatchObject({ head: 6 })
    }))

  test("P7 one boundary: several imported sessions appear in one commit, or none of them does", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* create()
      const { session: own } = yield* exported()
      yield* destroy()
      const third = SessionId.make("s3")
      yield* storage.beginImport(own)
      yield* storage.beginImport({ ...own, id: s2 })
      expect(yield* refused(storage.finishImport([s1, third, s2]))).toEqual({
        _tag: "SessionNotFound",
        sessionId: third
      })
      expect((yield* reader.sessions({})).sessions).toEqual([])
      const inNoTime = { from: 0, to: 0, limit: 1 }
      const { deletions } = yield* reader.changes(inNoTime)
      yield* storage.finishImport([s1, s2])
      expect((yield* reader.changes(inNoTime)).deletions).toBe(deletions + 1)
      expect((yield* reader.sessions({})).sessions.map(({ id }) => id)).toEqual([s2, s1])
    }))

  test("P7 delete: no step of an import shows a session that was deleted, or whose removal has begun", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* full
      const out = yield* exported()
      const missing = { _tag: "SessionNotFound", sessionId: s1 }
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      expect(yield* refused(storage.finishImport([s1]))).toEqual(missing)
      expect(yield* refused(storage.importRows(s1, out.rows))).toEqual(missing)
      yield* purgeAll()
      yield* storage.forget(s1)

      yield* storage.beginImport(out.session)
      yield* storage.importRows(s1, out.rows)
      yield* storage.forget(s1)
      expect(yield* (yield* StorageReader).storedRows(s1)).toBeGreaterThan(0)
      yield* purgeAll()
      expect(yield* refused(storage.importRows(s1, out.rows))).toEqual(missing)
      expect(yield* refused(storage.finishImport([s1]))).toEqual(missing)
      yield* storage.forget(s1)
      expect(yield* (yield* StorageReader).deleting).toEqual([])
      yield* importAll(out)
      expect(yield* session()).toMatchObject({ head: 6 })
    }))

  test("P12 clear refusal: an imported id that another session has is refused with its whole portion", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* full
      const before = yield* seen()
      const { rows, session: own } = yield* exported()
      expect(yield* refused(storage.beginImport(own))).toEqual({ _tag: "SessionExists", sessionId: s1 })
      yield* storage.beginImport({ ...own, id: s2 })
      expect(yield* refused(storage.importRows(s2, rows))).toMatchObject({
        _tag: "InvalidInput",
        field: "runs",
        actual: r1
      })
      const other = renamed({ rows, session: own })
      const runs = other.rows.filter(({ type }) => type === "run")
      const questions = rows.flatMap((row) =>
        row.type === "question" ? [{ ...row, runId: RunId.make(`other-${row.runId}`) }] : []
      )
      expect(yield* refused(storage.importRows(s2, [...runs, ...questions]))).toMatchObject({
        _tag: "InvalidInput",
        field: "questions",
        actual: q1
      })
      expect(yield* (yield* StorageReader).storedRows(s2)).toBe(0)
      expect(yield* seen()).toEqual(before)
    }))
}
