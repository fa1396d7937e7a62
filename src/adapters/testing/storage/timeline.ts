import { Chunk, Effect, Stream } from "effect"
import type { CallDisplay } from "../../../domain/CallDisplay.js"
import { userText } from "../../../domain/Message.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  append,
  appendStep,
  assistant,
  create,
  createAndStart,
  events,
  q1,
  question,
  r1,
  refused,
  result,
  s1,
  seq,
  storeResult,
  usage
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const timeline = (range: { readonly from?: number; readonly to?: number } = {}) =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    return Chunk.toReadonlyArray(yield* Stream.runCollect(reader.timeline({ sessionId: s1, ...range })))
  })

const editing: CallDisplay = { kind: "edit", title: "Edit a.ts", locations: [{ path: "/a.ts", line: 3 }] }
const nothing: CallDisplay = { kind: "other", title: null, locations: [] }

/** A run whose step asked for three calls at 2,000: the third has ended, the first has started. */
const threeCalls = Effect.gen(function* () {
  const storage = yield* Storage
  const now = yield* Now
  const { lease } = yield* createAndStart()
  yield* now.set(2_000)
  const message = assistant("I call", ["c1", "c2", "c3"], { usage: usage(10, 2) })
  yield* appendStep(lease, message, { startedAt: 1_500, displays: [editing] })
  yield* now.set(2_100)
  yield* storage.startCall(lease, seq(3))
  yield* storage.startCall(lease, seq(5), editing)
  yield* now.set(2_300)
  yield* storeResult(lease, seq(5), result("c3"))
  return lease
})

const step = {
  type: "step",
  seq: 2,
  runId: r1,
  startedAt: 1_500,
  endedAt: 2_000,
  model: { provider: "p", model: "m" },
  finish: "tool-calls",
  usage: usage(10, 2),
  partial: false
}
const call = (index: number, fields: object) => ({
  type: "call",
  seq: 2 + index,
  runId: r1,
  step: 2,
  callId: `c${index}`,
  name: `tool-c${index}`,
  display: nothing,
  askedAt: 2_000,
  startedAt: null,
  endedAt: null,
  outcome: null,
  finished: null,
  ...fields
})

export const timelineTests = (test: Test) => {
  test("a timeline has a row per step and per call: its times, its outcome and the order in which calls ended", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const now = yield* Now
      const lease = yield* threeCalls
      const cursorOf = (callId: string) =>
        Effect.map(
          events(),
          (all) => all.find((event) => event.type === "call.finished" && event.callId === callId)?.cursor
        )
      const third = { startedAt: 2_100, endedAt: 2_300, outcome: "success", display: editing }
      expect(yield* timeline()).toEqual([
        step,
        call(1, { startedAt: 2_100, display: editing }),
        call(2, {}),
        call(3, { ...third, finished: yield* cursorOf("c3") })
      ])
      yield* now.set(2_500)
      yield* storage.endRun(lease, { stopReason: "cancelled", detail: null })
      const [first, second, last] = [yield* cursorOf("c1"), yield* cursorOf("c2"), yield* cursorOf("c3")]
      expect(yield* timeline()).toEqual([
        step,
        call(1, { startedAt: 2_100, endedAt: 2_500, outcome: "interrupted", finished: first, display: editing }),
        call(2, { endedAt: 2_500, outcome: "never-started", finished: second }),
        call(3, { ...third, finished: last })
      ])
      expect([last, first, second]).toEqual([last, first, second].toSorted((one, other) => Number(one) - Number(other)))
    }))

  test("a part of a timeline still names the step of each call; a range past its end is empty", () =>
    Effect.gen(function* () {
      yield* threeCalls
      const all = yield* timeline()
      expect(yield* timeline({ from: 4 })).toEqual(all.slice(2))
      expect(yield* timeline({ from: 3, to: 4 })).toEqual(all.slice(1, 3))
      expect(yield* timeline({ to: 2 })).toEqual([all[0]])
      expect(yield* timeline({ from: 9 })).toEqual([])
    }))

  test("a timeline of 600 calls is whole, and each call names its step wherever reading begins", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const ids = Array.from({ length: 600 }, (_, index) => `c${index + 1}`)
      yield* appendStep(lease, assistant("I call", ids))
      yield* storage.endRun(lease, { stopReason: "cancelled", detail: null })
      const all = yield* timeline()
      expect(all.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 601 }, (_, index) => index + 2))
      expect(new Set(all.flatMap((row) => (row.type === "call" ? [row.step] : [])))).toEqual(new Set([2]))
      expect(yield* timeline({ from: 570, to: 580 })).toEqual(all.slice(568, 579))
    }))

  test("a timeline of long answers is whole", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      for (let n = 0; n < 6; n++) yield* appendStep(lease, assistant(`${n}`.repeat(200_000)))
      expect((yield* timeline()).map(({ seq }) => Number(seq))).toEqual([2, 3, 4, 5, 6, 7])
      expect((yield* timeline({ from: 4, to: 6 })).map(({ seq }) => Number(seq))).toEqual([4, 5, 6])
    }))

  test("the timeline of a missing session is refused", () =>
    Effect.gen(function* () {
      expect(yield* refused(timeline())).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
    }))

  test("a timeline stays whole after its events are deleted", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const lease = yield* threeCalls
      yield* storage.endRun(lease, { stopReason: "cancelled", detail: null })
      const before = yield* timeline()
      yield* (yield* Now).set(100_000)
      while (yield* storage.prune({ before: 90_000, keep: 1, since: 95_000 })) {}
      expect((yield* events()).length).toBe(1)
      expect(yield* timeline()).toEqual(before)
    }))

  test("messages that a host appends are in the timeline, without runs and start times", () =>
    Effect.gen(function* () {
      yield* create()
      yield* append(s1, [userText("Hi"), assistant("I call", ["c1"]), result("c1"), assistant("Done")])
      const unknown = { runId: null, startedAt: null }
      expect(yield* timeline()).toMatchObject([
        { type: "step", seq: 2, ...unknown },
        { type: "call", seq: 3, step: 2, callId: "c1", outcome: "success", finished: null, ...unknown },
        { type: "step", seq: 4, ...unknown }
      ])
    }))

  test("a call's display is part of the open call, its question and its events", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      const { cursor } = yield* reader.session(s1)
      const { calls } = yield* appendStep(lease, assistant("I call", ["c1", "c2"]), { displays: [editing] })
      expect(calls.map(({ display }) => display)).toEqual([editing, nothing])
      const asked = yield* storage.ask(lease, { ...question(q1, 4, "c2"), display: editing })
      expect(asked?.display).toEqual(editing)
      expect(yield* reader.question(q1)).toEqual(asked)
      expect((yield* reader.openBatch(s1)).calls.map(({ display }) => display)).toEqual([editing, editing])
      yield* storage.startCall(lease, seq(3))
      yield* storeResult(lease, seq(3), result("c1"))
      const shown = (yield* events(cursor)).flatMap((event) =>
        "display" in event ? [[event.type, event.display]] : []
      )
      expect(shown).toEqual([
        ["permission.asked", editing],
        ["call.started", editing],
        ["call.finished", editing]
      ])
    }))

  test("a page of events with entries is limited to about a mebibyte of messages, and pages join without a gap", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      for (let n = 0; n < 5; n++) yield* appendStep(lease, assistant(`${n}`.repeat(400_000)))
      const pages = []
      for (let after = 0; ;) {
        const page = yield* reader.events({ sessionId: s1, after, limit: 100, entries: true })
        if (page.length === 0) break
        pages.push(page)
        after = page.at(-1)?.cursor ?? after
      }
      expect(pages.flat().map(({ cursor }) => cursor)).toEqual((yield* events()).map(({ cursor }) => cursor))
      const told = pages.map((page) => page.filter((event) => event.type === "message.appended"))
      expect(told.flat().every((event) => "entry" in event && event.entry !== undefined)).toBe(true)
      expect(Math.max(...told.map((page) => page.length))).toBeLessThanOrEqual(3)
    }))

  test("events that are read with entries carry the message or question that they announce", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      yield* appendStep(lease, assistant("I call", ["c1", "c2"]))
      const asked = yield* storage.ask(lease, question(q1, 4, "c2"))
      yield* storage.startCall(lease, seq(3))
      yield* (yield* Now).set(3_000)
      yield* storeResult(lease, seq(4), result("c2"))
      yield* (yield* Now).set(4_000)
      yield* storeResult(lease, seq(3), result("c1"))
      const all = yield* reader.events({ sessionId: s1, after: 0, limit: 100, entries: true })
      for (const event of all) {
        if (event.type === "message.appended" || event.type === "call.finished") {
          expect(event.entry).toEqual(yield* reader.entry({ sessionId: s1, seq: event.seq }))
        }
        if (event.type === "permission.asked") expect(event.question).toEqual(asked)
      }
      const bare = all.map(({ ...event }) => {
        if ("entry" in event) delete event.entry
        if ("question" in event) delete event.question
        return event
      })
      expect(bare).toEqual(yield* events())
      expect(all.filter((event) => "entry" in event || "question" in event)).toHaveLength(7)
    }))
}
