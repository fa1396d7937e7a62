import { Effect } from "effect"
import { userText } from "../../../domain/Message.js"
import { RunId, type StopReason } from "../../../domain/Run.js"
import { Storage, StorageReader, type Resumption } from "../../../services/storage/Storage.js"
import {
  admission,
  append,
  appendStep,
  assistant,
  create,
  createAndStart,
  eventLines,
  firstEngine,
  r1,
  r2,
  r3,
  refused,
  s1,
  session,
  start,
  transcriptLines
} from "./fixture.js"
import type { Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const resume = (of: Resumption["of"], runId = r2) =>
  Effect.flatMap(Storage, (storage) => storage.resume({ sessionId: s1, runId, of, presence: firstEngine }))

/** A run that ended for a reason. */
const ended = (stopReason: StopReason, fields: Parameters<typeof start>[0] = {}) =>
  Effect.gen(function* () {
    const { lease } = yield* start(fields)
    yield* (yield* Storage).endRun(lease, { stopReason, detail: null })
  })

export const resumeTests = (test: Test) => {
  test("a session without runs resumes from its transcript as it is, and its title does not change", () =>
    Effect.gen(function* () {
      yield* create({ title: null })
      yield* append(s1, [userText("from elsewhere")])
      const { cursor } = yield* session()
      expect(yield* resume("newest")).toMatchObject({ _tag: "Started", ref: { runId: r2, cursor } })
      expect(yield* eventLines(cursor)).toEqual(["run.started r2"])
      expect(yield* session()).toMatchObject({ head: 1, title: "New session" })
    }))

  test("P5 a run that ended without an answer is resumed once, by a run that takes on its metadata and key", () =>
    Effect.gen(function* () {
      yield* create()
      yield* ended("crashed", { metadata: { who: "Ann" }, idempotencyKey: "k" })
      expect(yield* resume({ runId: r1 })).toMatchObject({ _tag: "Started", run: { metadata: { who: "Ann" } } })
      const again = { _tag: "Existing", run: { id: r2 } }
      expect(yield* resume({ runId: r1 }, r3)).toMatchObject(again)
      expect(yield* resume({ idempotencyKey: "k" }, r3)).toMatchObject(again)
      expect(yield* resume("newest", r3)).toEqual({ _tag: "Busy", runId: r2 })
      const sent = yield* (yield* Storage).admit(admission({ runId: r3, idempotencyKey: "k" }))
      expect(sent).toMatchObject(again)
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
    }))

  test("P5 a key finds the newest run of its message after any number of crashes", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create()
      yield* ended("crashed", { idempotencyKey: "k" })
      for (const id of ["r2", "r3", "r4"]) {
        const resumed = yield* resume({ idempotencyKey: "k" }, RunId.make(id))
        if (resumed._tag !== "Started") return yield* Effect.dieMessage(resumed._tag)
        yield* storage.endRun(resumed.lease, { stopReason: id === "r4" ? "completed" : "lease-lost", detail: null })
      }
      const last = { _tag: "Existing", run: { id: "r4", stopReason: "completed" } }
      expect(yield* resume({ idempotencyKey: "k" }, RunId.make("r5"))).toMatchObject(last)
      expect(yield* storage.admit(admission({ runId: RunId.make("r5"), idempotencyKey: "k" }))).toMatchObject(last)
    }))

  test("P5 resuming a run that is running or has its answer returns that run and starts nothing", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      expect(yield* resume({ runId: r1 })).toMatchObject({ _tag: "Existing", run: { id: r1, state: "running" } })
      yield* appendStep(lease, assistant("done"))
      yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
      const before = yield* session()
      for (const of of ["newest", { runId: r1 }] as const) {
        expect(yield* resume(of)).toMatchObject({ _tag: "Existing", run: { id: r1, stopReason: "completed" } })
      }
      expect(yield* session()).toEqual(before)
      yield* append(s1, [userText("and then?")])
      expect(yield* resume({ runId: r1 })).toMatchObject({ _tag: "Existing", run: { id: r1 } })
      expect(yield* resume("newest")).toMatchObject({ _tag: "Started", run: { id: r2 } })
    }))

  test("a run is not resumed once the session has gone on without it", () =>
    Effect.gen(function* () {
      yield* create()
      yield* ended("crashed")
      yield* ended("completed", { runId: r2 })
      expect(yield* resume({ runId: r1 }, r3)).toMatchObject({
        _tag: "Existing",
        run: { id: r1, stopReason: "crashed" }
      })
    }))

  test("a session cannot be resumed while its next message waits: it is busy", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      yield* storage.endRun(lease, { stopReason: "crashed", detail: null })
      expect(yield* resume("newest", r3)).toEqual({ _tag: "Busy", runId: r2 })
    }))

  test("resuming an unknown run or an unknown key is refused", () =>
    Effect.gen(function* () {
      yield* create()
      expect(yield* refused(resume({ runId: r1 }))).toEqual({ _tag: "RunNotFound", runId: r1 })
      expect(yield* refused(resume({ idempotencyKey: "k" }))).toMatchObject({
        _tag: "InvalidInput",
        field: "of.idempotencyKey"
      })
      expect(yield* refused((yield* StorageReader).run(r2))).toMatchObject({ _tag: "RunNotFound" })
    }))

  test("P5 messages appended under a key are stored once, and a retry returns the same entries", () =>
    Effect.gen(function* () {
      yield* create()
      const key = { key: "k", hash: "h" }
      const messages = [userText("one"), assistant("two")]
      const entries = yield* append(s1, messages, key)
      yield* append(s1, [userText("three")])
      const before = yield* session()
      expect(yield* append(s1, messages, key)).toEqual(entries)
      expect(yield* session()).toEqual(before)
      expect(yield* refused(append(s1, [userText("other")], { ...key, hash: "other" }))).toMatchObject({
        _tag: "IdempotencyConflict",
        runId: null
      })
      yield* append(s1, messages, { ...key, key: "l" })
      expect(yield* transcriptLines()).toEqual([
        "1 user one",
        "2 assistant two",
        "3 user three",
        "4 user one",
        "5 assistant two"
      ])
    }))

  test("P5 a retry finds the messages appended under its key even while a run holds the session", () =>
    Effect.gen(function* () {
      yield* create()
      const key = { key: "k", hash: "h" }
      const entries = yield* append(s1, [userText("one")], key)
      yield* start()
      expect(yield* append(s1, [userText("one")], key)).toEqual(entries)
    }))
}
