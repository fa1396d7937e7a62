import { Effect, Option } from "effect"
import { Checked } from "../../../domain/Checked.js"
import type { Draft } from "../../../domain/Live.js"
import { userText } from "../../../domain/Message.js"
import type { RunId } from "../../../domain/Run.js"
import { EventSignals } from "../../../services/storage/EventSignals.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  assistant,
  beat,
  checked,
  create,
  createAndStart,
  openBatch,
  secondEngine,
  firstEngine,
  q1,
  question,
  r1,
  r2,
  s1,
  s2,
  takeover,
  session,
  start,
  eventLines,
  seq
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const draft = (runId: RunId, place: number, text = "half"): Draft => ({
  runId,
  seq: seq(place),
  model: { provider: "p", model: "m" },
  attempt: 1,
  retry: null,
  reasoning: "",
  text,
  calls: []
})

export const leaseTests = (test: Test) => {
  const holder = Effect.flatMap(StorageReader, (reader) =>
    Effect.map(reader.activity(s1), ({ holder }) => Option.getOrThrow(holder))
  )
  const later = { ...firstEngine, sign: { clock: "boot", at: 9_000 } }

  test("P9 a sign of life is stored with its time, for every lease of its engine", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      yield* createAndStart({ sessionId: s2, runId: r2 })
      expect((yield* holder).beat).toEqual(beat(2, firstEngine))
      const before = yield* session()
      yield* (yield* Storage).renew(later)
      expect((yield* holder).beat).toEqual(beat(3, later))
      expect(yield* session()).toEqual(before)
    }))

  test("P9 an engine's host is stored with the runs that it holds, and is null if the engine names none", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      expect((yield* holder).engine?.host).toBeNull()
      const storage = yield* Storage
      yield* storage.releaseRun(lease)
      const elsewhere = { ...secondEngine, engine: { ...secondEngine.engine, host: "elsewhere" } }
      const left = { ...takeover({ ...lease, fence: lease.fence + 1 }, 0), reason: "released" as const }
      expect((yield* storage.takeOver({ ...left, recovery: "continue" }, elsewhere))._tag).toBe("Continues")
      expect((yield* holder).engine).toEqual(elsewhere.engine)
    }))

  test("P9 an engine that has given a sign of life since it was last checked is not taken over", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const storage = yield* Storage
      yield* storage.renew(later)
      expect(yield* storage.takeOver(takeover(lease, 1), secondEngine)).toEqual({ _tag: "Lost" })
      expect((yield* holder).engine).toEqual(firstEngine.engine)
      expect(yield* storage.takeOver(takeover(lease, 2), secondEngine)).toEqual({ _tag: "Ended" })
    }))

  test("P9 a silent engine's run is not taken over if the check of its lease is older than a second", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const storage = yield* Storage
      const seen = { ...takeover(lease), reason: "lease-lost" as const }
      const clock = yield* Now
      const takenAt = (now: number) => Effect.zipRight(clock.set(now), storage.takeOver(seen, secondEngine))
      expect(yield* takenAt(2_001)).toEqual({ _tag: "Lost" })
      expect(yield* takenAt(2_000)).toEqual({ _tag: "Ended" })
    }))

  test("P9 a run that is taken over because its lease expired ends as lease-lost", () =>
    Effect.gen(function* () {
      const { lease, ref } = yield* createAndStart()
      yield* (yield* Storage).takeOver({ ...takeover(lease), reason: "lease-lost" }, secondEngine)
      expect((yield* eventLines(ref.cursor)).at(-1)).toBe("run.ended r1 lease-lost")
    }))

  test("P9 an engine learns which of its runs it still holds, and which of them must end", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const runs = reader.heldRuns(firstEngine.engine.instance)
      const first = yield* createAndStart()
      const second = yield* createAndStart({ sessionId: s2, runId: r2 })
      const held = Effect.map(runs, (runs) =>
        runs.map(({ lease, stopRequest }) => `${lease.runId} ${lease.fence} ${stopRequest}`).toSorted()
      )
      expect(yield* held).toEqual([`r1 ${first.lease.fence} null`, `r2 ${second.lease.fence} null`])
      expect(yield* reader.heldRuns(secondEngine.engine.instance)).toEqual([])
      expect(yield* storage.requestCancel(r1)).toBe(true)
      yield* storage.beginDelete(s2)
      expect(yield* held).toEqual([`r1 ${first.lease.fence} cancelled`, `r2 ${second.lease.fence} deleted`])
      yield* storage.takeOver(takeover(first.lease, 2), secondEngine)
      expect(yield* held).toEqual([`r2 ${second.lease.fence} deleted`])
    }))

  test("P9 an engine is woken by a cancel, a deletion or a takeover of one of its runs", () =>
    Effect.gen(function* () {
      const signals = yield* EventSignals
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      for (const order of [
        storage.requestCancel(r1),
        storage.beginDelete(s1),
        storage.takeOver(takeover(lease), secondEngine)
      ]) {
        const watch = yield* signals.watchStopRequests
        yield* order
        yield* watch.next
      }
    }))

  test("P9 only a running run can be asked to end; asking changes nothing visible", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease, ref } = yield* createAndStart()
      yield* storage.admit({
        sessionId: s1,
        runId: r2,
        message: checked(userText("Next")),
        metadata: Checked.noMetadata,
        output: null,
        idempotencyKey: null,
        hash: "h",
        textHash: "h",
        whenBusy: "queue",
        presence: firstEngine
      })
      const before = yield* session()
      expect(yield* storage.requestCancel(r2)).toBe(false)
      expect(yield* storage.requestCancel(r1)).toBe(true)
      expect(yield* storage.requestCancel(r1)).toBe(true)
      expect(yield* session()).toEqual(before)
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      expect(yield* storage.requestCancel(r1)).toBe(false)
      expect((yield* eventLines(ref.cursor)).at(-1)).toBe("run.ended r1 completed")
    }))

  test("P9 a run that was asked to end does not continue after a takeover", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.requestCancel(r1)
      expect(yield* storage.takeOver(takeover(lease), secondEngine)).toEqual({ _tag: "Ended" })
    }))

  test("P9 the draft of the next step is kept, and gone once the step is stored", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      const before = yield* session()
      const save = (seq: number, text?: string) => storage.saveDrafts([{ lease, draft: draft(r1, seq, text) }])
      yield* save(2)
      yield* save(2, "half of it")
      expect(yield* reader.draft(s1)).toEqual(Option.some(draft(r1, 2, "half of it")))
      expect(yield* session()).toEqual(before)
      yield* appendStep(lease, assistant("half of it and the rest", ["c1"]))
      expect(yield* reader.draft(s1)).toEqual(Option.none())
      yield* save(2, "too late")
      expect(yield* reader.draft(s1)).toEqual(Option.none())
    }))

  test("P9 a draft is removed with its run, and the draft of a run that is over is not stored", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const first = yield* createAndStart()
      yield* storage.saveDrafts([{ lease: first.lease, draft: draft(r1, 2) }])
      yield* storage.endRun(first.lease, { stopReason: "cancelled", detail: null })
      expect(yield* reader.draft(s1)).toEqual(Option.none())
      const second = yield* start({ runId: r2 })
      yield* create({ id: s2 })
      yield* storage.saveDrafts([
        { lease: first.lease, draft: draft(r1, 3, "of a run that is over") },
        { lease: second.lease, draft: draft(r2, 3, "mine") }
      ])
      expect(yield* reader.draft(s1)).toEqual(Option.some(draft(r2, 3, "mine")))
      yield* storage.takeOver(takeover(second.lease, 2), secondEngine)
      expect(yield* reader.draft(s1)).toEqual(Option.none())
      expect(yield* reader.draft(s2)).toEqual(Option.none())
    }))
}
