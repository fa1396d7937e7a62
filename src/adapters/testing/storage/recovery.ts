import { Effect, Option } from "effect"
import type { Lease, Presence } from "../../../domain/Lease.js"
import type { RunId } from "../../../domain/Run.js"
import { Storage, StorageReader, type Takeover } from "../../../services/storage/Storage.js"
import {
  admission,
  allowOnce,
  anyTime,
  appendStep,
  assistant,
  create,
  createAndStart,
  deny,
  eventLines,
  firstEngine,
  openBatch,
  presence,
  q1,
  q2,
  q3,
  question,
  r1,
  r2,
  r3,
  refused,
  result,
  s1,
  s2,
  secondEngine,
  seq,
  session,
  start,
  storeResult,
  takeover,
  transcriptLines
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const holder = Effect.flatMap(StorageReader, (reader) =>
  Effect.map(reader.activity(s1), ({ holder }) => Option.getOrThrow(holder))
)

const released = (lease: Lease, recovery: Takeover["recovery"] = "continue"): Takeover => ({
  lease,
  count: 0,
  reason: "released",
  lookedAt: 1_000,
  recovery
})

/** Takes over a run to go on with it and returns its new lease; dies if the run ends. */
const goOn = (seen: Takeover, by: Presence) =>
  Effect.gen(function* () {
    const taken = yield* (yield* Storage).takeOver(seen, by)
    return taken._tag === "Continues" ? taken : yield* Effect.dieMessage(`it does not go on: ${taken._tag}`)
  })

const queue = (runId: RunId) =>
  Effect.flatMap(Storage, (storage) => storage.admit(admission({ runId, whenBusy: "queue" })))

export const recoveryTests = (test: Test) => {
  test("P5 releasing a run interrupts its started calls; no engine holds it, its other calls and questions stay", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const { calls } = yield* openBatch(lease, "c1", "c2", "c3")
      const [first, second] = calls
      if (first === undefined || second === undefined) return yield* Effect.dieMessage("no calls")
      yield* storage.startCall(lease, first.seq)
      yield* storage.ask(lease, question(q1, second.seq, "c2"))
      const { cursor } = yield* session()
      const run = yield* storage.releaseRun(lease)
      expect(run.state).toBe("running")
      expect(run.releasedAt).not.toBeNull()
      expect(yield* eventLines(cursor)).toEqual([
        "call.finished c1 interrupted",
        "message.appended 3 tool",
        "run.released r1"
      ])
      const reader = yield* StorageReader
      expect((yield* reader.openBatch(s1)).calls.map(({ callId, state }) => `${callId} ${state}`)).toEqual([
        "c2 pending",
        "c3 pending"
      ])
      expect((yield* reader.questions(s1)).map(({ id }) => id)).toEqual([q1])
      expect(yield* holder).toMatchObject({ engine: null, beat: { count: 0 }, run })
      expect(yield* reader.heldRuns(firstEngine.engine.instance)).toEqual([])
    }))

  test("P9 after a run is released, its lease is lost and its session stays busy", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* storage.releaseRun(lease)
      expect(yield* refused(appendStep(lease, assistant("late")))).toMatchObject({ _tag: "LeaseLost" })
      expect(yield* refused(storage.endRun(lease, { stopReason: "completed", detail: null }))).toMatchObject({
        _tag: "LeaseLost"
      })
      expect(yield* refused(storage.releaseRun(lease))).toMatchObject({ _tag: "LeaseLost" })
      expect(yield* Effect.exit(start({ runId: r2 }))).toMatchObject({ _tag: "Failure" })
    }))

  test("P9 a released run is taken over once, under a new lease, with its pending calls", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* storage.releaseRun(lease)
      const seen = released((yield* holder).lease)
      const taken = yield* goOn(seen, secondEngine)
      expect(taken.run).toMatchObject({ id: r1, releasedAt: null })
      expect(taken.lease.fence).toBeGreaterThan(seen.lease.fence)
      expect(yield* storage.takeOver(seen, firstEngine)).toEqual({ _tag: "Lost" })
      expect((yield* holder).engine).toEqual(secondEngine.engine)
      const { calls } = yield* (yield* StorageReader).openBatch(s1)
      expect(calls.map(({ state }) => state)).toEqual(["pending"])
    }))

  test("P9 taking over a released run that must not go on ends it as crashed, cancelled or deleted", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const ended = (recovery: Takeover["recovery"]) =>
        Effect.gen(function* () {
          expect(yield* storage.takeOver(released((yield* holder).lease, recovery), secondEngine)).toEqual({
            _tag: "Ended"
          })
          return (yield* eventLines()).at(-1)
        })
      yield* storage.releaseRun((yield* createAndStart()).lease)
      expect(yield* ended("end")).toBe("run.ended r1 crashed")
      yield* storage.releaseRun((yield* start({ runId: r2 })).lease)
      yield* storage.requestCancel(r2)
      expect(yield* ended("continue")).toBe("run.ended r2 cancelled")
      yield* storage.releaseRun((yield* start({ runId: r3 })).lease)
      yield* storage.beginDelete(s1)
      expect(yield* ended("continue")).toBe("run.ended r3 deleted")
    }))

  test("P5 a crashed engine's run goes on if asked to: started calls are interrupted, pending calls stay", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const { calls } = yield* openBatch(lease, "c1", "c2", "c3")
      const [first, , third] = calls
      if (first === undefined || third === undefined) return yield* Effect.dieMessage("no calls")
      yield* storage.startCall(lease, first.seq)
      yield* storage.startCall(lease, third.seq)
      yield* storeResult(lease, third.seq, result("c3"))
      const { cursor } = yield* session()
      yield* goOn({ ...takeover(lease), recovery: "continue" }, secondEngine)
      expect(yield* eventLines(cursor)).toEqual([
        "call.finished c1 interrupted",
        "message.appended 3 tool",
        "run.released r1"
      ])
      expect((yield* transcriptLines()).slice(2)).toEqual(["3 interrupted c1"])
      const batch = yield* (yield* StorageReader).openBatch(s1)
      expect(batch.calls.map(({ callId }) => callId)).toEqual(["c2"])
      expect(batch.stored).toHaveLength(1)
    }))

  test("P9 a run that makes no progress in three takeovers is given up; a run that makes progress never is", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      let { lease } = yield* createAndStart()
      const crash = (round: number) =>
        Effect.gen(function* () {
          const { beat } = yield* holder
          return yield* storage.takeOver(
            { ...takeover(lease, beat.count), recovery: "continue" },
            presence(`e${round}`)
          )
        })
      for (let round = 1; round <= 8; round++) {
        const taken = yield* crash(round)
        if (taken._tag !== "Continues") return yield* Effect.dieMessage(`given up in round ${round}`)
        ;({ lease } = taken)
        yield* appendStep(lease, assistant(`step ${round}`))
      }
      for (let round = 9; round <= 11; round++) {
        const taken = yield* crash(round)
        if (taken._tag !== "Continues") return yield* Effect.dieMessage(`given up in round ${round}`)
        ;({ lease } = taken)
        // A release and a takeover is not a crash.
        yield* storage.releaseRun(lease)
        ;({ lease } = yield* goOn(released((yield* holder).lease), presence(`f${round}`)))
      }
      expect(yield* crash(12)).toEqual({ _tag: "Ended" })
      expect(yield* (yield* StorageReader).run(r1)).toMatchObject({
        stopReason: "crashed",
        detail: "it was taken over 3 times and got no further"
      })
    }))

  test("sessions with runs that have not ended are found with their holders, the longest waiting first", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart({ sessionId: s2, runId: r1 })
      yield* create()
      const second = yield* start({ runId: r2 })
      yield* queue(r3)
      const found = Effect.map(reader.unsettled(anyTime), (sessions) =>
        sessions.map(({ sessionId, tenancy }) => [sessionId, tenancy?.lease.runId, tenancy?.engine?.instance])
      )
      expect(yield* found).toEqual([
        [s2, r1, "i1"],
        [s1, r2, "i1"]
      ])
      yield* storage.releaseRun(lease)
      yield* storage.endRun(second.lease, { stopReason: "completed", detail: null })
      expect(yield* found).toEqual([
        [s2, r1, undefined],
        [s1, undefined, undefined]
      ])
      yield* storage.cancelQueued(r3)
      expect(yield* found).toEqual([[s2, r1, undefined]])
      yield* storage.beginDelete(s2)
      expect(yield* found).toEqual([])
    }))

  test("sessions whose run was released, or whose engine fell silent, before a time are not among them", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { set } = yield* Now
      yield* set(2_000)
      const { lease } = yield* createAndStart()
      yield* createAndStart({ sessionId: s2, runId: r2, presence: presence("f") })
      yield* set(3_000)
      yield* storage.renew(presence("f"))
      yield* queue(r3)
      yield* set(4_000)
      yield* storage.releaseRun(lease)
      const found = (released: number, silent: number) =>
        Effect.map(reader.unsettled({ released, silent }), (sessions) => sessions.map(({ sessionId }) => sessionId))
      expect(yield* found(4_000, 3_000)).toEqual([s1, s2])
      expect(yield* found(4_001, 3_000)).toEqual([s2])
      expect(yield* found(4_000, 3_001)).toEqual([s1])
      // A sign of life counts, and so does a new engine. Without a run that holds it, a session waits for nobody.
      yield* storage.renew(presence("f"))
      const next = yield* goOn(released((yield* holder).lease), presence("g"))
      expect(yield* found(4_001, 4_000)).toEqual([s1, s2])
      yield* storage.endRun(next.lease, { stopReason: "completed", detail: null })
      expect(yield* found(9_000, 9_000)).toEqual([s1])
    }))

  test("sessions with a call that was answered and has not started are always among them", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.ask(lease, question(q2, 4, "c2"))
      const other = yield* createAndStart({ sessionId: s2, runId: r2 })
      yield* openBatch(other.lease, "c3")
      yield* storage.ask(other.lease, question(q3, 3, "c3"))
      yield* storage.releaseRun(lease)
      const found = Effect.all({
        left: Effect.map(reader.unsettled({ released: 9_000, silent: 9_000 }), (sessions) =>
          sessions.map(({ sessionId }) => sessionId)
        ),
        answered: Effect.forEach([s1, s2], (id) => Effect.map(reader.occupancy(id), ({ isAnswered }) => isAnswered))
      })
      expect(yield* found).toEqual({ left: [], answered: [false, false] })
      yield* storage.answer(q2, deny)
      expect(yield* found).toEqual({ left: [s1], answered: [true, false] })
      yield* storage.answer(q3, allowOnce)
      expect(yield* found).toEqual({ left: [s1, s2], answered: [true, true] })
      // One is started, the other is closed without a start.
      yield* storage.startCall(other.lease, seq(3))
      expect(yield* found).toEqual({ left: [s1], answered: [true, false] })
      const next = yield* goOn(released((yield* holder).lease), secondEngine)
      yield* storeResult(next.lease, seq(4), result("c2", "no", "denied"))
      expect(yield* found).toEqual({ left: [], answered: [false, false] })
    }))
}
