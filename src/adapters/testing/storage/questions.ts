import { Effect, Option } from "effect"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import type { Lease } from "../../../domain/Lease.js"
import { type Answer, QuestionId } from "../../../domain/Permission.js"
import { Owner } from "../../../domain/Session.js"
import * as Transcript from "../../../domain/Transcript.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  storeResult,
  allowOnce,
  allowForSession,
  create,
  createAndStart,
  deny,
  events,
  transcriptLines,
  openBatch,
  secondEngine,
  beat,
  q1,
  q2,
  q3,
  question,
  r1,
  r2,
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

const smith = Owner.make("smith")

const ask = (lease: Lease, id: QuestionId, place: number, callId: string) =>
  Effect.flatMap(Storage, (storage) => storage.ask(lease, question(id, place, callId)))

const answer = (id: QuestionId, given: Answer) => Effect.flatMap(Storage, (storage) => storage.answer(id, given))

const waiting = (sessionId: typeof s1 | null = null) =>
  Effect.map(
    Effect.flatMap(StorageReader, (reader) => reader.questions(sessionId)),
    (questions) => questions.map(({ id }) => id)
  )

export const questionTests = (test: Test) => {
  askTests(test)
  takeOverTests(test)
  inquiryTests(test)
}

const inquiry = { from: "files", text: "Which one?", fields: [] }

/** Makes a call that has started ask a question. */
const inquire = (lease: Lease, id: QuestionId, place: number, callId: string) =>
  Effect.flatMap(Storage, (storage) =>
    storage.ask(lease, { ...question(id, place, callId), display: { ...CallDisplay.none, inquiry } })
  )

const inquiryTests = (test: Test) => {
  test("P12 only a call that has started can make an inquiry, and its answer keeps the values filled in", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      const storage = yield* Storage
      expect(yield* refused(inquire(lease, q1, 3, "c1"))).toMatchObject({ _tag: "InvalidInput", field: "seq" })
      yield* storage.startCall(lease, seq(3))
      const asked = yield* inquire(lease, q1, 3, "c1")
      expect(asked?.display).toEqual({ ...CallDisplay.none, inquiry })
      const reader = yield* StorageReader
      expect((yield* reader.openBatch(s1)).calls).toMatchObject([{ state: "started", display: CallDisplay.none }])
      const values = { name: "a", count: 2, isNew: true, among: ["x", "y"] }
      const answered = yield* answer(q1, { ...allowOnce, values })
      expect(yield* reader.question(q1)).toEqual(answered)
      expect(answered).toEqual({ ...asked, answer: { ...allowOnce, values } })
    }))

  test("allowing a tool for the session answers none of its inquiries", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* (yield* Storage).startCall(lease, seq(3))
      yield* inquire(lease, q1, 3, "c1")
      yield* (yield* Storage).ask(lease, { ...question(q2, 4, "c2"), tool: "tool-c1" })
      yield* answer(q2, allowForSession)
      expect(yield* waiting(s1)).toEqual([q1])
    }))

  test("P11 the end of a call denies its inquiry: with its result, in a takeover and in a release", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      const storage = yield* Storage
      for (const place of [3, 4]) yield* storage.startCall(lease, seq(place))
      yield* inquire(lease, q1, 3, "c1")
      yield* inquire(lease, q2, 4, "c2")
      yield* ask(lease, q3, 5, "c3")
      const { cursor } = yield* session()
      yield* storeResult(lease, seq(3), result("c1"))
      const told = Effect.map(eventLines(cursor), (lines) => lines.filter((line) => !line.endsWith("tool")))
      expect(yield* told).toEqual(["permission.answered q1 deny", "call.finished c1 success"])
      const taken = yield* storage.takeOver(takeover(lease), secondEngine)
      if (taken._tag !== "Continues") return yield* Effect.dieMessage(taken._tag)
      expect((yield* told).slice(2)).toEqual(["permission.answered q2 deny", "call.finished c2 interrupted"])
      expect(yield* waiting(s1)).toEqual([q3])
      expect((yield* (yield* StorageReader).question(q2)).answer?.message).toMatch(/the call ended/)

      yield* answer(q3, allowOnce)
      yield* storage.startCall(taken.lease, seq(5))
      const q4 = QuestionId.make("q4")
      yield* inquire(taken.lease, q4, 5, "c3")
      yield* storage.releaseRun(taken.lease)
      expect((yield* (yield* StorageReader).question(q4)).answer?.verdict).toBe("deny")
    }))
}

const askTests = (test: Test) => {
  test("a question about a pending call waits for its answer, bound to the exact input", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      const reader = yield* StorageReader
      const { cursor } = yield* session()
      yield* (yield* Now).set(2_000)
      const asked = yield* ask(lease, q1, 4, "c2")
      expect(asked).toEqual({
        id: q1,
        sessionId: s1,
        runId: r1,
        callId: "c2",
        seq: 4,
        tool: "tool-c2",
        access: "write",
        input: "{}",
        display: CallDisplay.none,
        answer: null,
        askedAt: 2_000
      })
      expect(yield* reader.question(q1)).toEqual(asked)
      expect(yield* reader.questions(s1)).toEqual([asked])
      expect((yield* reader.openBatch(s1)).calls.map(({ questionId }) => questionId)).toEqual([null, q1])
      expect(yield* eventLines(cursor)).toEqual(["permission.asked q1"])
      expect((yield* events(cursor))[0]).toMatchObject({ runId: r1, callId: "c2", questionId: q1, tool: "tool-c2" })
    }))

  test("questions of all sessions are listed oldest first", () =>
    Effect.gen(function* () {
      const first = yield* createAndStart()
      const second = yield* createAndStart({ sessionId: s2, runId: r2 })
      yield* openBatch(first.lease, "c1")
      yield* openBatch(second.lease, "d1")
      yield* ask(second.lease, q2, 3, "d1")
      yield* (yield* Now).set(10)
      yield* ask(first.lease, q1, 3, "c1")
      expect(yield* waiting()).toEqual([q2, q1])
      expect(yield* waiting(s1)).toEqual([q1])
      expect(yield* waiting(s2)).toEqual([q2])
      yield* answer(q2, allowOnce)
      expect(yield* waiting()).toEqual([q1])
    }))

  test("questions of an owner are those of the owner's sessions", () =>
    Effect.gen(function* () {
      yield* create({ owner: smith })
      yield* create({ id: s2 })
      const owned = yield* start()
      const other = yield* start({ sessionId: s2, runId: r2 })
      yield* openBatch(owned.lease, "c1")
      yield* openBatch(other.lease, "d1")
      yield* ask(owned.lease, q1, 3, "c1")
      yield* ask(other.lease, q2, 3, "d1")
      const reader = yield* StorageReader
      const ids = (sessionId: typeof s1 | null, owner: Owner) =>
        Effect.map(reader.questions(sessionId, owner), (questions) => questions.map(({ id }) => id))
      expect(yield* ids(null, smith)).toEqual([q1])
      expect(yield* ids(s1, smith)).toEqual([q1])
      expect(yield* ids(s2, smith)).toEqual([])
      expect(yield* ids(null, Owner.make("nobody"))).toEqual([])
    }))

  test("P12 a question about a call that is not pending is refused", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      const storage = yield* Storage
      yield* storage.startCall(lease, seq(3))
      yield* storeResult(lease, seq(4), result("c2"))
      const before = yield* session()
      const refusal = { _tag: "InvalidInput", field: "seq" }
      expect(yield* refused(ask(lease, q1, 3, "c1"))).toMatchObject({ ...refusal, actual: "3" })
      expect(yield* refused(ask(lease, q1, 4, "c2"))).toMatchObject({ ...refusal, actual: "4" })
      expect(yield* refused(ask(lease, q1, 6, "c4"))).toMatchObject({ ...refusal, actual: "6" })
      expect(yield* refused(ask(lease, q1, 5, "c1"))).toMatchObject({ ...refusal, actual: "5" })
      expect(yield* session()).toEqual(before)
      expect(yield* refused((yield* StorageReader).question(q1))).toEqual({ _tag: "QuestionNotFound", questionId: q1 })
    }))

  test("P7 the first answer wins; a later answer is refused with the verdict that won", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      const asked = yield* ask(lease, q1, 3, "c1")
      const { cursor } = yield* session()
      const answered = yield* answer(q1, deny)
      expect(answered).toEqual({ ...asked, answer: deny })
      expect(yield* (yield* StorageReader).question(q1)).toEqual(answered)
      expect(yield* refused(answer(q1, allowOnce))).toEqual({
        _tag: "QuestionAnswered",
        questionId: q1,
        verdict: "deny"
      })
      expect(yield* eventLines(cursor)).toEqual(["permission.answered q1 deny"])
      expect((yield* events(cursor))[0]).toMatchObject({ type: "permission.answered", seq: 3, by: "Bob" })
      expect((yield* events()).find(({ type }) => type === "permission.asked")).toMatchObject({ seq: 3 })
      expect(yield* waiting()).toEqual([])
      expect(yield* refused(answer(q2, allowOnce))).toEqual({ _tag: "QuestionNotFound", questionId: q2 })
    }))

  test("P7 of concurrent answers one wins", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* ask(lease, q1, 3, "c1")
      const { cursor } = yield* session()
      const outcomes = yield* Effect.forEach(
        [allowOnce, deny, allowForSession],
        (given) => Effect.either(answer(q1, given)),
        {
          concurrency: "unbounded"
        }
      )
      expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Left", "Left", "Right"])
      expect(yield* eventLines(cursor)).toHaveLength(1)
    }))

  test("only an answer for the session grants the tool for the session", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const reader = yield* StorageReader
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* ask(lease, q1, 3, "c1")
      yield* ask(lease, q2, 4, "c2")
      yield* answer(q1, allowOnce)
      expect(yield* reader.granted(s1)).toEqual(new Set())
      yield* answer(q2, allowForSession)
      expect(yield* reader.granted(s1)).toEqual(new Set(["tool-c2"]))
      yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
      expect(yield* reader.granted(s1)).toEqual(new Set(["tool-c2"]))
      expect(yield* reader.granted(s2)).toEqual(new Set())
    }))

  test("an answer for the session answers the open questions that it covers, in the same commit", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const other = yield* createAndStart({ sessionId: s2, runId: r2 })
      const storage = yield* Storage
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* openBatch(other.lease, "d1")
      const q4 = QuestionId.make("q4")
      yield* storage.ask(other.lease, { ...question(q4, 3, "d1"), tool: "tool-c1" })
      yield* ask(lease, q1, 3, "c1")
      yield* storage.ask(lease, { ...question(q2, 4, "c2"), tool: "tool-c1" })
      yield* ask(lease, q3, 5, "c3")
      const { cursor } = yield* session()
      yield* answer(q1, allowForSession)
      expect(yield* eventLines(cursor)).toEqual([
        "permission.answered q1 allow-for-session",
        "permission.answered q2 allow-for-session"
      ])
      expect(yield* waiting(s1)).toEqual([q3])
      expect(yield* waiting(s2)).toEqual([q4])
      expect((yield* (yield* StorageReader).question(q2)).answer).toEqual(allowForSession)
      expect(yield* refused(answer(q2, deny))).toMatchObject({ _tag: "QuestionAnswered" })
    }))

  test("P5 nobody is asked about a tool that is granted for the session, except by a call of it", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const storage = yield* Storage
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* ask(lease, q1, 3, "c1")
      yield* answer(q1, allowForSession)
      const before = yield* session()
      const about = { ...question(q2, 4, "c2"), tool: "tool-c1" }
      expect(yield* storage.ask(lease, about)).toBeNull()
      expect(yield* session()).toEqual(before)
      expect((yield* (yield* StorageReader).openBatch(s1)).calls[1]).toMatchObject({ questionId: null })
      expect(yield* refused(storage.ask(lease, { ...about, seq: seq(9) }))).toMatchObject({ field: "seq" })
      yield* storage.startCall(lease, seq(4))
      yield* storage.ask(lease, { ...about, display: { ...CallDisplay.none, inquiry } })
      yield* ask(lease, q3, 5, "c3")
      expect(yield* waiting(s1)).toEqual([q2, q3])
    }))

  test("P5 a question's answer does not start its call", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* ask(lease, q1, 3, "c1")
      yield* answer(q1, allowOnce)
      const [call] = (yield* (yield* StorageReader).openBatch(s1)).calls
      expect(call).toMatchObject({ state: "pending", questionId: q1 })
      expect(yield* (yield* Storage).startCall(lease, seq(3))).toBe(true)
    }))

  test("P4 a run's end denies its open questions, oldest first, and closes their calls", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* ask(lease, q2, 4, "c2")
      yield* ask(lease, q1, 3, "c1")
      const { cursor } = yield* session()
      yield* (yield* Storage).endRun(lease, { stopReason: "cancelled", detail: null })
      expect((yield* eventLines(cursor)).filter((line) => !line.endsWith("tool"))).toEqual([
        "permission.answered q2 deny",
        "permission.answered q1 deny",
        "call.finished c1 never-started",
        "call.finished c2 never-started",
        "call.finished c3 never-started",
        "run.ended r1 cancelled"
      ])
      expect((yield* (yield* StorageReader).question(q1)).answer).toEqual({
        verdict: "deny",
        message: "the run ended before anybody answered",
        by: null
      })
      expect(yield* refused(answer(q1, allowOnce))).toMatchObject({ _tag: "QuestionAnswered", verdict: "deny" })
    }))

  test("P7 a run's end changes neither answers nor other runs' questions", () =>
    Effect.gen(function* () {
      const first = yield* createAndStart()
      const second = yield* createAndStart({ sessionId: s2, runId: r2 })
      yield* openBatch(first.lease, "c1")
      yield* openBatch(second.lease, "d1")
      const answered = yield* Effect.zipRight(ask(first.lease, q1, 3, "c1"), answer(q1, allowOnce))
      yield* ask(second.lease, q2, 3, "d1")
      const { cursor } = yield* session()
      yield* (yield* Storage).endRun(first.lease, { stopReason: "cancelled", detail: null })
      expect((yield* eventLines(cursor))[0]).toBe("call.finished c1 never-started")
      expect(yield* (yield* StorageReader).question(q1)).toEqual(answered)
      expect(yield* waiting()).toEqual([q2])
    }))
}

const takeOverTests = (test: Test) => {
  const takeOver = (lease: Lease) =>
    Effect.flatMap(Storage, (storage) => storage.takeOver(takeover(lease), secondEngine))

  test("P5 at most once: a dead run's calls are closed by what is known about them, and it ends as crashed", () =>
    Effect.gen(function* () {
      const { lease, ref } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      const storage = yield* Storage
      yield* storage.startCall(lease, seq(4))
      yield* storeResult(lease, seq(5), result("c3"))
      yield* (yield* Now).set(5_000)
      expect(yield* takeOver(lease)).toEqual({ _tag: "Ended" })
      expect((yield* transcriptLines()).slice(2)).toEqual(["3 never-started c1", "4 interrupted c2", "5 success c3"])
      expect(Transcript.isSendable(yield* transcript())).toBe(true)
      const reader = yield* StorageReader
      expect(yield* reader.run(r1)).toMatchObject({
        state: "ended",
        stopReason: "crashed",
        detail: null,
        endedAt: 5_000
      })
      expect((yield* eventLines(ref.cursor)).at(-1)).toBe("run.ended r1 crashed")
      expect(Option.isNone((yield* reader.activity(s1)).holder)).toBe(true)
      yield* start({ runId: r2 })
    }))

  test("P4 a run that died between two steps ends as crashed", () =>
    Effect.gen(function* () {
      const { lease, ref } = yield* createAndStart()
      expect(yield* takeOver(lease)).toEqual({ _tag: "Ended" })
      expect(yield* eventLines(ref.cursor)).toEqual([
        "run.started r1",
        "message.appended 1 user",
        "run.ended r1 crashed"
      ])
    }))

  test("P2 a question outlives its process: the call that waits for a human stays open and answerable", () =>
    Effect.gen(function* () {
      const { lease, ref } = yield* createAndStart()
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* openBatch(lease, "c1", "c2", "c3", "c4")
      yield* ask(lease, q1, 4, "c2")
      yield* storage.startCall(lease, seq(5))
      yield* storeResult(lease, seq(6), result("c4"))
      const { cursor } = yield* session()

      const taken = yield* takeOver(lease)
      if (taken._tag !== "Continues") return yield* Effect.dieMessage(taken._tag)
      expect(taken).toMatchObject({ run: yield* reader.run(r1), ref, lease: { sessionId: s1, runId: r1 } })
      expect(taken.lease.fence).toBeGreaterThan(lease.fence)
      expect((yield* reader.activity(s1)).holder).toEqual(
        Option.some({
          run: taken.run,
          lease: taken.lease,
          engine: secondEngine.engine,
          beat: beat(1, secondEngine)
        })
      )
      expect(yield* eventLines(cursor)).toEqual([
        "call.finished c1 never-started",
        "message.appended 3 tool",
        "call.finished c3 interrupted"
      ])
      expect(yield* reader.openBatch(s1)).toMatchObject({
        calls: [{ callId: "c2", state: "pending", questionId: q1 }],
        stored: [{ seq: 5 }, { seq: 6 }]
      })
      expect(yield* waiting(s1)).toEqual([q1])

      yield* answer(q1, allowOnce)
      expect(yield* refused(storage.startCall(lease, seq(4)))).toMatchObject({ _tag: "LeaseLost" })
      expect(yield* storage.startCall(taken.lease, seq(4))).toBe(true)
      yield* storeResult(taken.lease, seq(4), result("c2"))
      expect((yield* session()).head).toBe(6)
      expect(Transcript.isSendable(yield* transcript())).toBe(true)
      expect(yield* storage.endRun(taken.lease, { stopReason: "completed", detail: null })).toMatchObject({ id: r1 })
    }))

  test("P2 a question that was answered before the takeover keeps its call open too", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* ask(lease, q1, 3, "c1")
      yield* answer(q1, deny)
      const before = yield* session()
      yield* (yield* Now).set(2_000)
      expect(yield* takeOver(lease)).toMatchObject({ _tag: "Continues" })
      expect(yield* session()).toEqual({ ...before, updatedAt: 2_000 })
      expect((yield* (yield* StorageReader).question(q1)).answer).toEqual(deny)
    }))

  test("P5 a call that started after its question does not keep the run alive", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* ask(lease, q1, 3, "c1")
      yield* answer(q1, allowOnce)
      yield* (yield* Storage).startCall(lease, seq(3))
      expect(yield* takeOver(lease)).toEqual({ _tag: "Ended" })
      expect((yield* transcriptLines()).slice(2)).toEqual(["3 interrupted c1"])
    }))

  test("P5 a call that has its result does not keep the run alive, even if a human was asked about it", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* ask(lease, q1, 4, "c2")
      yield* storeResult(lease, seq(4), result("c2", "no", "denied"))
      expect(yield* takeOver(lease)).toEqual({ _tag: "Ended" })
      expect((yield* transcriptLines()).slice(2)).toEqual(["3 never-started c1", "4 denied c2"])
    }))

  test("P9 one engine: of concurrent takeovers of a run one succeeds", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* ask(lease, q1, 3, "c1")
      const taken = yield* Effect.forEach([1, 2, 3, 4], () => takeOver(lease), { concurrency: "unbounded" })
      expect(taken.map(({ _tag }) => _tag).toSorted()).toEqual(["Continues", "Lost", "Lost", "Lost"])
      expect(yield* takeOver(lease)).toEqual({ _tag: "Lost" })
    }))

  test("P9 neither a run that has ended nor a run of a missing session is taken over", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
      const before = yield* session()
      expect(yield* takeOver(lease)).toEqual({ _tag: "Lost" })
      expect(yield* session()).toEqual(before)
      expect(yield* refused(takeOver({ ...lease, sessionId: s2 }))).toEqual({ _tag: "SessionNotFound", sessionId: s2 })
    }))
}
