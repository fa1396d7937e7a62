import { Effect, FastCheck } from "effect"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import * as Batch from "../../../domain/Batch.js"
import type { Lease } from "../../../domain/Lease.js"
import { RunId } from "../../../domain/Run.js"
import * as Transcript from "../../../domain/Transcript.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  storeResult,
  assistant,
  createAndStart,
  events,
  transcriptLines,
  openBatch,
  secondEngine,
  firstEngine,
  q1,
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
  transcript,
  usage
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const cancelled = { stopReason: "cancelled", detail: null } as const

/** Completes the call of place `place`. */
const complete = (lease: Lease, place: number, id: string, text?: string) =>
  storeResult(lease, seq(place), result(id, text))

const open = Effect.flatMap(StorageReader, (reader) => reader.openBatch(s1))

const orders = (items: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))

/** Expects that every write of a run is refused and changes nothing. */
const expectLost = (lease: Lease) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const before = yield* session()
    const lost = { _tag: "LeaseLost", sessionId: lease.sessionId, runId: lease.runId }
    expect(yield* refused(appendStep(lease, assistant("Late")))).toEqual(lost)
    expect(yield* refused(storage.startCall(lease, seq(3)))).toEqual(lost)
    expect(yield* refused(storeResult(lease, seq(3), result("c1")))).toEqual(lost)
    expect(yield* refused(storage.ask(lease, question(q1, 3, "c1")))).toEqual(lost)
    expect(yield* refused(storage.endRun(lease, cancelled))).toEqual(lost)
    expect(yield* storage.takeOver(takeover(lease), secondEngine)).toEqual({ _tag: "Lost" })
    expect(yield* session()).toEqual(before)
  })

export const batchTests = (test: Test) => {
  openTests(test)
  completeTests(test)
  closeTests(test)
}

const openTests = (test: Test) => {
  test("P1 a step with calls opens a batch: one place per call, right after the step", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const before = yield* session()
      yield* (yield* Now).set(2_000)
      const message = assistant("I call", ["c1", "c2"])
      const step = yield* appendStep(lease, message)
      const call = (place: number, index: number, id: string) => ({
        seq: place,
        index,
        callId: id,
        name: `tool-${id}`,
        state: "pending",
        questionId: null,
        startedAt: null,
        display: CallDisplay.none
      })
      expect(step).toEqual({
        entry: { seq: 2, runId: r1, actor: null, at: 2_000, message },
        calls: [call(3, 0, "c1"), call(4, 1, "c2")]
      })
      expect(yield* open).toEqual({ calls: step.calls, stored: [] })
      expect(yield* session()).toMatchObject({ head: 2, cursor: before.cursor + 1, updatedAt: 2_000 })
      expect(yield* eventLines(before.cursor)).toEqual(["message.appended 2 assistant"])
    }))

  test("P5 a step's commit starts the calls that it names, leaves others pending and ignores unknown ones", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const { cursor } = yield* session()
      const { calls } = yield* appendStep(lease, assistant("I call", ["c1", "c2", "c3"]), { starts: [2, 0, 3] })
      expect(calls.map(({ state }) => state)).toEqual(["started", "pending", "started"])
      expect((yield* open).calls).toEqual(calls)
      expect(yield* eventLines(cursor)).toEqual(["message.appended 2 assistant", "call.started c3", "call.started c1"])
      expect(yield* storage.startCall(lease, seq(3))).toBe(false)
      expect(yield* storage.startCall(lease, seq(4))).toBe(true)
    }))

  test("P4 a run can end in the commit of its last step; calls that the step asks for are closed", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const { cursor } = yield* session()
      const end = { stopReason: "refused", detail: "filtered" } as const
      const step = yield* appendStep(lease, assistant("I ca", ["c1"], { usage: usage(10, 2) }), { end })
      expect(step).toMatchObject({ entry: { seq: 2 }, calls: [] })
      expect(yield* eventLines(cursor)).toEqual([
        "message.appended 2 assistant",
        "call.finished c1 never-started",
        "message.appended 3 tool",
        "run.ended r1 refused"
      ])
      const run = yield* (yield* StorageReader).run(r1)
      expect(run).toMatchObject({ state: "ended", ...end, usage: { inputTokens: 10 } })
      expect(yield* open).toEqual({ calls: [], stored: [] })
      expect(yield* refused(appendStep(lease, assistant("More")))).toMatchObject({ _tag: "LeaseLost" })
    }))

  test("P1 a step without calls opens no batch, and another step may follow", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* appendStep(lease, assistant("One"))
      expect((yield* appendStep(lease, assistant("Two"))).entry.seq).toBe(3)
      expect(yield* open).toEqual({ calls: [], stored: [] })
    }))

  test("P4 always sendable: nothing is appended while a batch is open", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      const before = yield* session()
      const refusal = { _tag: "AppendRefused", sessionId: s1, reason: "batch-open" }
      expect(yield* refused(appendStep(lease, assistant("More")))).toEqual(refusal)
      yield* complete(lease, 4, "c2")
      expect(yield* refused(appendStep(lease, assistant("More")))).toEqual(refusal)
      expect(yield* session()).toMatchObject({ head: 2, usage: before.usage })
      yield* complete(lease, 3, "c1")
      expect((yield* appendStep(lease, assistant("More"))).entry.seq).toBe(5)
    }))

  test("P4 always sendable: a partial message with calls is refused", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const partial = assistant("I ca", ["c1"], { partial: true })
      expect(yield* refused(appendStep(lease, partial))).toMatchObject({
        _tag: "AppendRefused",
        reason: "calls-without-batch"
      })
      expect(yield* transcriptLines()).toEqual(["1 user Hello"])
      yield* appendStep(lease, assistant("I ca", [], { partial: true }))
    }))

  test("P5 at most once: a call is started once", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      const storage = yield* Storage
      const { cursor } = yield* session()
      const started = yield* Effect.forEach([3, 3, 3, 3], (place) => storage.startCall(lease, seq(place)), {
        concurrency: "unbounded"
      })
      expect(started.filter((isFirst) => isFirst)).toHaveLength(1)
      expect(yield* eventLines(cursor)).toEqual(["call.started c1"])
      expect((yield* open).calls.map(({ state }) => state)).toEqual(["started", "pending", "pending"])
      expect((yield* events(cursor))[0]).toMatchObject({ runId: r1, callId: "c1", seq: 3, name: "tool-c1" })
    }))

  test("P5 at most once: nothing starts at a place that has a result or no call", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      const storage = yield* Storage
      yield* complete(lease, 3, "c1")
      const before = yield* session()
      expect(yield* storage.startCall(lease, seq(3))).toBe(false)
      expect(yield* storage.startCall(lease, seq(1))).toBe(false)
      expect(yield* storage.startCall(lease, seq(2))).toBe(false)
      expect(yield* storage.startCall(lease, seq(5))).toBe(false)
      expect(yield* session()).toEqual(before)
    }))
}

/** The order in which the calls of one batch end. */
const someOrder = FastCheck.integer({ min: 1, max: 12 }).chain((size) =>
  FastCheck.shuffledSubarray(
    Array.from({ length: size }, (_, index) => index),
    { minLength: size, maxLength: size }
  )
)

const completeTests = (test: Test) => {
  test("P1 one order: results appear in call order, whatever order they arrive in", () =>
    Effect.gen(function* () {
      const calls = ["c1", "c2", "c3", "c4"]
      const { lease } = yield* createAndStart()
      for (const [round, order] of orders([0, 1, 2, 3]).entries()) {
        const ids = calls.map((call) => `${call}-${round}`)
        const { cursor, head } = yield* session()
        yield* openBatch(lease, ...ids)
        for (const index of order) yield* complete(lease, head + 2 + index, ids[index] ?? "")
        expect((yield* transcriptLines()).slice(head + 1)).toEqual(
          ids.map((id, index) => `${head + 2 + index} success ${id}`)
        )
        const after = yield* eventLines(cursor)
        expect(after.filter((line) => line.startsWith("call.finished"))).toEqual(
          order.map((index) => `call.finished ${ids[index]} success`)
        )
        expect(after.filter((line) => line.endsWith("tool"))).toEqual(
          ids.map((_, index) => `message.appended ${head + 2 + index} tool`)
        )
      }
      expect(Transcript.isSendable(yield* transcript())).toBe(true)
    }))

  test("P1 one order: each result moves the head exactly as far as the batch's rule says", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      for (const [round, order] of FastCheck.sample(someOrder, 40).entries()) {
        const opener = (yield* session()).head + 1
        yield* openBatch(lease, ...order.map((_, index) => `c${round}-${index}`))
        const stored = new Set<number>()
        for (const index of order) {
          yield* complete(lease, opener + 1 + index, `c${round}-${index}`)
          stored.add(opener + 1 + index)
          const head = Batch.headAfter(opener, opener + order.length, (seq) => stored.has(seq))
          expect((yield* session()).head, `in the order ${order.join(" ")}`).toBe(head)
        }
      }
    }))

  test("P1 one order: results that arrive at the same time still appear in call order", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const ids = Array.from({ length: 40 }, (_, index) => `c${index}`)
      yield* openBatch(lease, ...ids)
      yield* Effect.forEach([...ids.entries()].toReversed(), ([index, id]) => complete(lease, index + 3, id), {
        concurrency: "unbounded"
      })
      expect((yield* transcriptLines()).slice(2)).toEqual(ids.map((id, index) => `${index + 3} success ${id}`))
      const all = yield* events()
      expect(all.map(({ cursor }) => Number(cursor))).toEqual(all.map((_, index) => index + 1))
    }))

  test("P2 seen means stored, P3 never late: a result is announced while earlier calls still run", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      const { cursor } = yield* session()
      yield* (yield* Now).set(2_000)
      expect(yield* complete(lease, 5, "c3")).toEqual({ result: result("c3") })
      expect((yield* session()).head).toBe(2)
      expect(yield* eventLines(cursor)).toEqual(["call.finished c3 success"])
      expect(yield* open).toMatchObject({
        calls: [{ callId: "c1" }, { callId: "c2" }],
        stored: [{ seq: 5, runId: r1, actor: null, at: 2_000, message: result("c3") }]
      })
      expect(yield* transcriptLines()).toEqual(["1 user Hello", "2 assistant I call"])
      const { entry } = yield* StorageReader
      const at = (place: number) => entry({ sessionId: s1, seq: seq(place) })
      expect(yield* at(1)).toEqual((yield* transcript())[0])
      expect(yield* at(5)).toEqual({ seq: 5, runId: r1, actor: null, at: 2_000, message: result("c3") })
      expect(yield* refused(at(3))).toEqual({ _tag: "MessageNotFound", sessionId: s1, seq: 3 })
      expect(yield* refused(at(9))).toEqual({ _tag: "MessageNotFound", sessionId: s1, seq: 9 })
      const elsewhere = entry({ sessionId: s2, seq: seq(1) })
      expect(yield* refused(elsewhere)).toEqual({ _tag: "SessionNotFound", sessionId: s2 })

      expect(yield* complete(lease, 3, "c1")).toEqual({ result: result("c1") })
      expect((yield* session()).head).toBe(3)
      yield* (yield* Now).set(3_000)
      expect(yield* complete(lease, 4, "c2")).toEqual({ result: result("c2") })
      expect((yield* session()).head).toBe(5)
      expect(yield* eventLines(cursor + 1)).toEqual([
        "call.finished c1 success",
        "message.appended 3 tool",
        "call.finished c2 success",
        "message.appended 4 tool",
        "message.appended 5 tool"
      ])
      expect(yield* open).toEqual({ calls: [], stored: [] })
      expect((yield* transcript()).slice(2).map(({ at }) => at)).toEqual([2_000, 3_000, 2_000])
      expect((yield* events(cursor))[0]).toEqual({
        type: "call.finished",
        sessionId: s1,
        cursor: cursor + 1,
        at: 2_000,
        actor: null,
        runId: r1,
        callId: "c3",
        seq: 5,
        name: "tool-c3",
        outcome: "success",
        display: CallDisplay.none
      })
    }))

  test("P5 compare-and-set: a call's first result wins, whether the head has passed it or not", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* complete(lease, 4, "c2", "first")
      const before = yield* session()
      expect(yield* complete(lease, 4, "c2", "second")).toEqual({ result: result("c2", "first") })
      expect(yield* session()).toEqual(before)
      yield* complete(lease, 3, "c1", "first")
      expect(yield* complete(lease, 3, "c1", "second")).toEqual({ result: result("c1", "first") })
      expect(yield* complete(lease, 4, "c2", "third")).toEqual({ result: result("c2", "first") })
      expect((yield* transcript()).slice(2).map(({ message }) => message)).toEqual([
        result("c1", "first"),
        result("c2", "first")
      ])
    }))

  test("P5 compare-and-set: of concurrent results one wins, and every caller learns which", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      const { cursor } = yield* session()
      const answers = yield* Effect.forEach(["a", "b", "c", "d"], (text) => complete(lease, 3, "c1", text), {
        concurrency: "unbounded"
      })
      const [stored] = (yield* transcript()).slice(2)
      expect(new Set(answers.map((answer) => answer.result.text)).size).toBe(1)
      expect(stored?.message).toEqual(answers[0]?.result)
      expect(yield* eventLines(cursor)).toEqual(["call.finished c1 success", "message.appended 3 tool"])
    }))

  test("P1 a result takes only the place of its own call", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      const before = yield* session()
      const wrongPlace = { _tag: "InvalidInput", field: "seq" }
      expect(yield* refused(complete(lease, 1, "c1"))).toMatchObject({ ...wrongPlace, actual: "1" })
      expect(yield* refused(complete(lease, 2, "c1"))).toMatchObject({ ...wrongPlace, actual: "2" })
      expect(yield* refused(complete(lease, 5, "c1"))).toMatchObject({ ...wrongPlace, actual: "5" })
      const wrongCall = { _tag: "InvalidInput", field: "result.callId" }
      expect(yield* refused(complete(lease, 3, "c2"))).toEqual({ ...wrongCall, limit: "c1", actual: "c2" })
      expect(yield* session()).toEqual(before)
      yield* complete(lease, 4, "c2")
      expect(yield* refused(complete(lease, 4, "c1"))).toEqual({ ...wrongCall, limit: "c2", actual: "c1" })
      expect((yield* open).calls).toHaveLength(1)
    }))
}

const closeTests = (test: Test) => {
  test("P4 always sendable: a run may end at any point of its batch", () =>
    Effect.gen(function* () {
      const states = ["pending", "started", "done", "started and done"] as const
      const storage = yield* Storage
      yield* storage.endRun((yield* createAndStart()).lease, cancelled)
      const outcome = {
        pending: "never-started",
        started: "interrupted",
        done: "success",
        "started and done": "success"
      }
      let round = 0
      for (const first of states) {
        for (const second of states) {
          for (const third of states) {
            round++
            const { lease, ref } = yield* start({ runId: RunId.make(`round${round}`) })
            const { head } = yield* session()
            const ids = [1, 2, 3].map((n) => `c${n}-${round}`)
            yield* openBatch(lease, ...ids)
            for (const [index, state] of [first, second, third].entries()) {
              if (state.startsWith("started")) yield* storage.startCall(lease, seq(head + 2 + index))
              if (state.endsWith("done")) yield* complete(lease, head + 2 + index, ids[index] ?? "")
            }
            yield* storage.endRun(lease, cancelled)
            expect((yield* transcriptLines()).slice(head + 1)).toEqual(
              [first, second, third].map((state, index) => `${head + 2 + index} ${outcome[state]} ${ids[index]}`)
            )
            expect(Transcript.isSendable(yield* transcript())).toBe(true)
            expect((yield* eventLines(ref.cursor)).filter((line) => line.endsWith("tool"))).toHaveLength(3)
          }
        }
      }
    }))

  test("P1 ending a run first completes its open calls, in call order", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3", "c4")
      const storage = yield* Storage
      yield* storage.startCall(lease, seq(5))
      yield* complete(lease, 4, "c2")
      const { cursor } = yield* session()
      yield* (yield* Now).set(2_000)
      yield* storage.endRun(lease, cancelled)
      expect(yield* eventLines(cursor)).toEqual([
        "call.finished c1 never-started",
        "message.appended 3 tool",
        "message.appended 4 tool",
        "call.finished c3 interrupted",
        "message.appended 5 tool",
        "call.finished c4 never-started",
        "message.appended 6 tool",
        "run.ended r1 cancelled"
      ])
      expect((yield* transcript())[4]).toMatchObject({
        seq: 5,
        runId: r1,
        actor: null,
        at: 2_000,
        message: { name: "tool-c3" }
      })
      expect(yield* open).toEqual({ calls: [], stored: [] })
    }))

  test("P9 fencing: a run that was taken over writes nothing more", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* (yield* Storage).takeOver(takeover(lease), secondEngine)
      yield* expectLost(lease)
    }))

  test("P9 fencing: a run that has ended writes nothing more, even when another run holds the session", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* (yield* Storage).endRun(lease, cancelled)
      yield* expectLost(lease)
      const second = yield* start({ runId: r2 })
      yield* openBatch(second.lease, "c1")
      yield* expectLost(lease)
      yield* expectLost({ ...lease, fence: second.lease.fence })
      yield* expectLost({ ...second.lease, fence: second.lease.fence + 1 })
    }))

  test("P9 fencing: each new lease has a greater fence than the one before", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const first = yield* createAndStart()
      yield* storage.endRun(first.lease, cancelled)
      const second = yield* start({ runId: r2 })
      yield* storage.takeOver(takeover(second.lease, 2), firstEngine)
      const third = yield* start({ runId: r3 })
      expect(second.lease.fence).toBeGreaterThan(first.lease.fence)
      expect(third.lease.fence).toBeGreaterThan(second.lease.fence)
    }))
}
