import { Effect, Option } from "effect"
import { userText } from "../../../domain/Message.js"
import { refOf, RunId, type RunQuery } from "../../../domain/Run.js"
import { SessionId } from "../../../domain/Session.js"
import * as Usage from "../../../domain/Usage.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  a1,
  admission,
  beat,
  type AdmissionFields,
  asset,
  assistant,
  create,
  createAndStart,
  transcriptLines,
  secondEngine,
  firstEngine,
  r1,
  r2,
  r3,
  refused,
  s1,
  s2,
  session,
  start,
  eventLines,
  transcript,
  usage
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

/** The form of an answer. */
const form = { type: "object", properties: { good: { type: "boolean" } } }

const completed = { stopReason: "completed", detail: null } as const

const admit = (fields: AdmissionFields) => Effect.flatMap(Storage, (storage) => storage.admit(admission(fields)))

export const runTests = (test: Test) => {
  startTests(test)
  queueTests(test)
  keyTests(test)
}

const startTests = (test: Test) => {
  test("P7 a free session starts a run in one commit: lease, message and events, and a ref from just before", () =>
    Effect.gen(function* () {
      yield* create()
      yield* (yield* Now).set(2_000)
      const { lease, ref, run } = yield* start({ metadata: { from: "cli" }, output: form })
      expect(run).toEqual({
        id: r1,
        sessionId: s1,
        state: "running",
        stopReason: null,
        detail: null,
        actor: null,
        metadata: { from: "cli" },
        output: form,
        usage: Usage.zero,
        cursor: 1,
        createdAt: 2_000,
        startedAt: 2_000,
        releasedAt: null,
        endedAt: null
      })
      expect(ref).toEqual({ sessionId: s1, runId: r1, cursor: 1 })
      expect(lease).toMatchObject({ sessionId: s1, runId: r1 })
      expect(yield* transcript()).toEqual([{ seq: 1, runId: r1, actor: null, at: 2_000, message: userText("Hello") }])
      expect(yield* eventLines(ref.cursor)).toEqual(["run.started r1", "message.appended 1 user"])
      const reader = yield* StorageReader
      expect(yield* reader.run(r1)).toEqual(run)
      expect(refOf(yield* reader.run(r1))).toEqual(ref)
      expect(yield* reader.activity(s1)).toEqual({
        holder: Option.some({ run, lease, engine: firstEngine.engine, beat: beat(1, firstEngine, 2_000) }),
        queued: []
      })
    }))

  test("an unnamed session gets its title from the first message with a text", () =>
    Effect.gen(function* () {
      yield* create({ title: null })
      const storage = yield* Storage
      yield* storage.saveAsset(asset())
      const file = { role: "user", parts: [{ type: "file", assetId: a1, mediaType: "image/png" }] } as const
      yield* storage.endRun((yield* start({ message: file })).lease, completed)
      expect(yield* session()).toMatchObject({ title: "New session", named: false })
      expect((yield* eventLines()).filter((line) => line.startsWith("session.renamed"))).toEqual([])
      const second = yield* start({ runId: r2, message: userText(" \n\n  Fix   the build \n now") })
      expect(yield* eventLines(second.ref.cursor)).toEqual([
        "run.started r2",
        "message.appended 2 user",
        "session.renamed Fix the build"
      ])
      expect(yield* session()).toMatchObject({ title: "Fix the build", named: false })
      yield* storage.endRun(second.lease, completed)
      yield* start({ runId: r3, message: userText("Again") })
      expect(yield* session()).toMatchObject({ title: "Fix the build" })
    }))

  test("a title taken from a message is cut to the limit; a given title stays", () =>
    Effect.gen(function* () {
      yield* create({ title: null })
      yield* start({ message: userText("ä".repeat(300)) })
      expect((yield* session()).title).toBe(`${"ä".repeat(199)}…`)
      yield* create({ id: s2, title: "New session" })
      yield* start({ sessionId: s2, runId: r2 })
      expect((yield* session(s2)).title).toBe("New session")
    }))

  test("P9 one run per session: a second run is refused and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const before = yield* session()
      const busy = yield* admit({ runId: r2, idempotencyKey: "k", presence: secondEngine })
      expect(busy).toEqual({ _tag: "Busy", runId: r1 })
      expect(yield* session()).toEqual(before)
      expect(yield* refused((yield* StorageReader).run(r2))).toEqual({ _tag: "RunNotFound", runId: r2 })
      yield* (yield* Storage).endRun(lease, completed)
      expect(yield* admit({ runId: r2, idempotencyKey: "k", hash: "other" })).toMatchObject({ _tag: "Started" })
    }))

  test("P9 one run per session: of many concurrent runs exactly one starts", () =>
    Effect.gen(function* () {
      yield* create()
      const admitted = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, index) => RunId.make(`run${index}`)),
        (runId) => admit({ runId }),
        { concurrency: "unbounded" }
      )
      expect(admitted.map(({ _tag }) => _tag).toSorted()).toEqual([
        ...Array.from({ length: 7 }, () => "Busy"),
        "Started"
      ])
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
    }))

  test("P7 a run ends once, with its stop reason, and the session is free", () =>
    Effect.gen(function* () {
      const { lease, ref } = yield* createAndStart()
      yield* (yield* Now).set(3_000)
      const storage = yield* Storage
      const ended = yield* storage.endRun(lease, { stopReason: "failed", detail: "no such model" })
      expect(ended).toMatchObject({ id: r1, state: "ended", stopReason: "failed", detail: "no such model" })
      expect(ended).toMatchObject({ createdAt: 1_000, startedAt: 1_000, endedAt: 3_000 })
      const reader = yield* StorageReader
      expect(yield* reader.run(r1)).toEqual(ended)
      expect(yield* reader.activity(s1)).toEqual({ holder: Option.none(), queued: [] })
      expect((yield* eventLines(ref.cursor)).at(-1)).toBe("run.ended r1 failed")
      expect(yield* refused(storage.endRun(lease, completed))).toEqual({ _tag: "LeaseLost", sessionId: s1, runId: r1 })
      expect(yield* reader.run(r1)).toEqual(ended)
    }))

  test("usage is summed over a run and over its session, and reported at the run's end", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const first = yield* createAndStart()
      yield* appendStep(first.lease, assistant("a", [], { usage: usage(10, 1) }))
      yield* appendStep(first.lease, assistant("b", [], { usage: usage(20, 2) }))
      expect((yield* storage.endRun(first.lease, completed)).usage).toMatchObject({ steps: 2, inputTokens: 30 })
      const second = yield* start({ runId: r2 })
      yield* appendStep(second.lease, assistant("c", [], { usage: { ...usage(5, 1), outputTokens: null } }))
      expect((yield* reader.run(r2)).usage).toMatchObject({
        steps: 1,
        unknownSteps: 1,
        inputTokens: 5,
        outputTokens: 0
      })
      expect((yield* session()).usage).toMatchObject({ steps: 3, unknownSteps: 1, inputTokens: 35, outputTokens: 3 })
      const [ended] = yield* reader.events({ sessionId: s1, after: second.ref.cursor - 1, limit: 1 })
      expect(ended).toMatchObject({
        type: "run.ended",
        runId: r1,
        usage: { steps: 2, inputTokens: 30, outputTokens: 3 }
      })
    }))

  test("P12 a message may name only existing assets", () =>
    Effect.gen(function* () {
      yield* create()
      const message = {
        role: "user",
        parts: [
          { type: "text", text: "Look" },
          { type: "file", assetId: a1, mediaType: "image/png" }
        ]
      } as const
      expect(yield* refused(admit({ message }))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
      yield* create({ id: s2 })
      yield* (yield* Storage).saveAsset(asset({ sessionId: s2 }))
      expect(yield* refused(admit({ message }))).toMatchObject({ _tag: "AssetNotFound" })
      yield* (yield* Storage).saveAsset(asset())
      expect(yield* admit({ message })).toMatchObject({ _tag: "Started" })
    }))

  test("P12 a refusal names the run or session that is missing", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      expect(yield* refused(reader.run(r1))).toEqual({ _tag: "RunNotFound", runId: r1 })
      expect(yield* refused(admit({}))).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
      expect(yield* refused((yield* Storage).startNext(s1, firstEngine))).toEqual({
        _tag: "SessionNotFound",
        sessionId: s1
      })
    }))
}

const queueTests = (test: Test) => {
  const queue = (runId: RunId, text: string) => admit({ runId, message: userText(text), whenBusy: "queue" })

  test("P7 queued runs wait in order; their messages get a place when they start", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const first = yield* createAndStart()
      const queued = yield* queue(r2, "second")
      expect(queued).toMatchObject({
        _tag: "Queued",
        run: { id: r2, state: "queued", createdAt: 1_000, startedAt: null },
        ref: { sessionId: s1, runId: r2, cursor: 3 }
      })
      yield* queue(r3, "third")
      expect((yield* reader.activity(s1)).queued.map(({ id }) => id)).toEqual([r2, r3])
      const { holder } = yield* reader.activity(s1)
      expect(yield* reader.occupancy(s1)).toEqual({ placement: null, holder, hasQueued: true, isAnswered: false })
      expect(yield* eventLines(3)).toEqual(["run.queued r2", "run.queued r3"])
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
      expect(yield* storage.startNext(s1, firstEngine)).toEqual(Option.none())

      yield* storage.endRun(first.lease, completed)
      expect(yield* reader.occupancy(s1)).toEqual({
        placement: null,
        holder: Option.none(),
        hasQueued: true,
        isAnswered: false
      })
      yield* (yield* Now).set(2_000)
      const second = Option.getOrThrow(yield* storage.startNext(s1, secondEngine))
      expect(second.run).toMatchObject({ id: r2, state: "running", createdAt: 1_000, startedAt: 2_000 })
      expect(second.ref).toEqual({ sessionId: s1, runId: r2, cursor: 3 })
      expect(refOf(yield* reader.run(r2))).toEqual(second.ref)
      expect(Option.getOrThrow((yield* reader.activity(s1)).holder)).toEqual({
        run: second.run,
        lease: second.lease,
        engine: secondEngine.engine,
        beat: beat(1, secondEngine, 2_000)
      })
      expect(yield* eventLines(6)).toEqual(["run.started r2", "message.appended 2 user"])
      yield* storage.endRun(second.lease, completed)
      expect(Option.getOrThrow(yield* storage.startNext(s1, firstEngine)).run.id).toBe(r3)
      expect(yield* reader.occupancy(s1)).toMatchObject({ hasQueued: false })
      expect(yield* transcriptLines()).toEqual(["1 user Hello", "2 user second", "3 user third"])
    }))

  test("a run keeps the requested form of its answer in the queue, to its end and when it is resumed", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const first = yield* createAndStart()
      expect(first.run.output).toBeNull()
      const queued = yield* admit({ runId: r2, message: userText("second"), whenBusy: "queue", output: form })
      expect(queued).toMatchObject({ _tag: "Queued", run: { output: form } })
      yield* storage.endRun(first.lease, completed)
      const second = Option.getOrThrow(yield* storage.startNext(s1, firstEngine))
      expect(second.run.output).toEqual(form)
      yield* storage.endRun(second.lease, { stopReason: "crashed", detail: null })
      expect((yield* reader.run(r2)).output).toEqual(form)
      const resumed = yield* storage.resume({ sessionId: s1, runId: r3, of: { runId: r2 }, presence: firstEngine })
      expect(resumed).toMatchObject({ _tag: "Started", run: { id: r3, output: form } })
      expect((yield* reader.runs({ sessionId: s1 })).map(({ output }) => output)).toEqual([form, form, null])
    }))

  test("a session's runs are listed newest first, from any run on, and can be found by key", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* createAndStart()
      yield* admit({ runId: r2, message: userText("second"), whenBusy: "queue", idempotencyKey: "k" })
      yield* queue(r3, "third")
      const ids = (query: Omit<RunQuery, "sessionId">) =>
        Effect.map(reader.runs({ sessionId: s1, ...query }), (runs) => runs.map(({ id }) => id))
      expect(yield* ids({})).toEqual([r3, r2, r1])
      expect(yield* reader.runs({ sessionId: s1, before: r2 })).toEqual([yield* reader.run(r1)])
      expect(yield* ids({ limit: 1 })).toEqual([r3])
      expect(yield* ids({ before: r3, limit: 1 })).toEqual([r2])
      expect(yield* ids({ idempotencyKey: "k" })).toEqual([r2])
      expect(yield* ids({ idempotencyKey: "none" })).toEqual([])
      yield* create({ id: s2 })
      expect(yield* reader.runs({ sessionId: s2 })).toEqual([])
      const foreign = reader.runs({ sessionId: s2, before: r1 })
      expect(yield* refused(foreign)).toEqual({ _tag: "RunNotFound", runId: r1 })
      const missing = SessionId.make("nobody")
      expect(yield* refused(reader.runs({ sessionId: missing }))).toMatchObject({ _tag: "SessionNotFound" })
    }))

  test("P7 a new run does not overtake queued ones", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* queue(r2, "second")
      yield* storage.endRun(lease, completed)
      expect(yield* admit({ runId: r3 })).toEqual({ _tag: "Busy", runId: r2 })
      expect(yield* queue(r3, "third")).toMatchObject({ _tag: "Queued" })
      expect(Option.getOrThrow(yield* storage.startNext(s1, firstEngine)).run.id).toBe(r2)
    }))

  test("P7 a run that may queue starts immediately when the session is free", () =>
    Effect.gen(function* () {
      yield* create()
      expect(yield* queue(r1, "first")).toMatchObject({ _tag: "Started" })
      expect(yield* (yield* Storage).startNext(s1, firstEngine)).toEqual(Option.none())
    }))

  test("P7 a queued run can be cancelled, and only a queued one", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      yield* queue(r2, "second")
      yield* queue(r3, "third")
      yield* (yield* Now).set(2_000)
      const { cursor } = yield* session()
      expect(yield* storage.cancelQueued(r2)).toBe(true)
      expect(yield* reader.run(r2)).toMatchObject({
        state: "ended",
        stopReason: "cancelled",
        detail: null,
        startedAt: null,
        endedAt: 2_000
      })
      expect(yield* eventLines(cursor)).toEqual(["run.ended r2 cancelled"])
      const before = yield* session()
      expect(yield* storage.cancelQueued(r2)).toBe(false)
      expect(yield* storage.cancelQueued(r1)).toBe(false)
      expect(yield* storage.cancelQueued(RunId.make("unknown"))).toBe(false)
      expect(yield* session()).toEqual(before)
      yield* storage.endRun(lease, completed)
      expect(Option.getOrThrow(yield* storage.startNext(s1, firstEngine)).run.id).toBe(r3)
      expect(yield* transcriptLines()).toEqual(["1 user Hello", "2 user third"])
    }))

  test("a queued message gives an unnamed session its title when its run starts", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create({ title: null })
      const { lease } = yield* start({ message: userText(" ") })
      yield* queue(r2, "A plan")
      expect(yield* session()).toMatchObject({ title: "New session" })
      yield* storage.endRun(lease, completed)
      const { cursor } = yield* session()
      yield* storage.startNext(s1, firstEngine)
      expect(yield* eventLines(cursor)).toEqual(["run.started r2", "message.appended 2 user", "session.renamed A plan"])
    }))
}

const keyTests = (test: Test) => {
  test("P5 a key belongs to one message: sending it again returns the same run, whatever the run's state", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* create()
      const { lease, ref } = yield* start({ idempotencyKey: "k1", hash: "h1" })
      yield* admit({ runId: r2, idempotencyKey: "k2", hash: "h2", whenBusy: "queue" })
      const before = yield* session()
      expect(yield* admit({ runId: r3, idempotencyKey: "k1", hash: "h1" })).toEqual({
        _tag: "Existing",
        run: yield* reader.run(r1),
        ref
      })
      expect(yield* admit({ runId: r3, idempotencyKey: "k2", hash: "h2" })).toMatchObject({
        _tag: "Existing",
        run: { id: r2, state: "queued" }
      })
      expect(yield* session()).toEqual(before)
      yield* storage.endRun(lease, completed)
      yield* storage.cancelQueued(r2)
      expect(yield* admit({ runId: r3, idempotencyKey: "k1", hash: "h1" })).toMatchObject({
        _tag: "Existing",
        run: { id: r1, stopReason: "completed" }
      })
      expect(yield* admit({ runId: r3, idempotencyKey: "k2", hash: "h2" })).toMatchObject({
        run: { id: r2, stopReason: "cancelled" }
      })
    }))

  test("P5 a key that is reused for another message is a conflict, even while the session is busy", () =>
    Effect.gen(function* () {
      yield* create()
      yield* start({ idempotencyKey: "k1", hash: "h1" })
      expect(yield* refused(admit({ runId: r2, idempotencyKey: "k1", hash: "h2" }))).toEqual({
        _tag: "IdempotencyConflict",
        sessionId: s1,
        idempotencyKey: "k1",
        runId: r1
      })
      expect(yield* admit({ runId: r2, hash: "h1" })).toMatchObject({ _tag: "Busy" })
    }))

  test("P5 a message that was stored under its text hash is recognized when it is sent again under its key", () =>
    Effect.gen(function* () {
      yield* create()
      yield* start({ idempotencyKey: "k1", hash: "h1", textHash: "t1" })
      yield* admit({ runId: r2, idempotencyKey: "k2", hash: "h2", textHash: "t2", whenBusy: "queue" })
      const again = { runId: r3, hash: "canonical" }
      expect(yield* admit({ ...again, idempotencyKey: "k1", textHash: "h1" })).toMatchObject({ run: { id: r1 } })
      expect(yield* admit({ ...again, idempotencyKey: "k2", textHash: "h2" })).toMatchObject({ run: { id: r2 } })
      for (const textHash of ["h2", "t1"]) {
        expect(yield* refused(admit({ ...again, idempotencyKey: "k1", textHash }))).toMatchObject({
          _tag: "IdempotencyConflict"
        })
      }
    }))

  test("P5 a key belongs to its session", () =>
    Effect.gen(function* () {
      yield* createAndStart({ idempotencyKey: "k", hash: "h1" })
      expect(yield* createAndStart({ sessionId: s2, runId: r2, idempotencyKey: "k", hash: "h2" })).toMatchObject({
        run: { id: r2 }
      })
    }))

  test("P5 the same key sent many times concurrently makes one run", () =>
    Effect.gen(function* () {
      yield* create()
      const admitted = yield* Effect.forEach(
        Array.from({ length: 6 }, (_, index) => RunId.make(`run${index}`)),
        (runId) => admit({ runId, idempotencyKey: "k" }),
        { concurrency: "unbounded" }
      )
      expect(admitted.map(({ _tag }) => _tag).toSorted()).toEqual([
        ...Array.from({ length: 5 }, () => "Existing"),
        "Started"
      ])
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
    }))
}
