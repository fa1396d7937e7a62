import { Chunk, Effect, Stream } from "effect"
import { type Message, userText } from "../../../domain/Message.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  admission,
  appendStep,
  append as appendTo,
  assistant,
  create,
  createAndStart,
  events,
  transcriptLines,
  r2,
  refused,
  result,
  s1,
  s2,
  session,
  eventLines,
  transcript,
  usage
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

/** A whole exchange with a batch. */
const exchange: ReadonlyArray<Message> = [
  userText("Question"),
  assistant("Let me see", ["c1", "c2"], { usage: usage(10, 2) }),
  result("c1"),
  result("c2", "broke", "failure"),
  assistant("Answer", [], { usage: usage(30, 4) })
]

export const transcriptTests = (test: Test) => {
  const append = (...messages: ReadonlyArray<Message>) => appendTo(s1, messages)

  test("P1 messages take the places after the head, without gaps, and have an event each", () =>
    Effect.gen(function* () {
      yield* create()
      yield* (yield* Now).set(2_000)
      const appended = yield* append(...exchange)
      expect(appended).toEqual(
        exchange.map((message, index) => ({ seq: index + 1, runId: null, actor: null, at: 2_000, message }))
      )
      expect(yield* transcript()).toEqual(appended)
      expect((yield* append(userText("More"))).map(({ seq }) => seq)).toEqual([6])
      expect(yield* eventLines(1)).toEqual([
        "message.appended 1 user",
        "message.appended 2 assistant",
        "message.appended 3 tool",
        "message.appended 4 tool",
        "message.appended 5 assistant",
        "message.appended 6 user"
      ])
      expect((yield* events(1))[0]).toEqual({
        type: "message.appended",
        sessionId: s1,
        cursor: 2,
        at: 2_000,
        actor: null,
        runId: null,
        seq: 1,
        role: "user"
      })
    }))

  test("a session counts its messages and sums their usage", () =>
    Effect.gen(function* () {
      yield* create()
      yield* (yield* Now).set(2_000)
      yield* append(...exchange, assistant("unknown"))
      expect(yield* session()).toMatchObject({
        head: 6,
        cursor: 7,
        updatedAt: 2_000,
        usage: { steps: 3, unknownSteps: 1, inputTokens: 40, outputTokens: 6, reasoningTokens: 0 }
      })
    }))

  test("appended messages do not set the title", () =>
    Effect.gen(function* () {
      yield* create({ title: null })
      yield* append(userText("Hello"))
      expect(yield* session()).toMatchObject({ title: "New session", named: false })
    }))

  test("appending nothing changes nothing", () =>
    Effect.gen(function* () {
      const before = yield* create()
      yield* (yield* Now).set(2_000)
      expect(yield* append()).toEqual([])
      expect(yield* session()).toEqual(before)
    }))

  test("P4 always sendable: messages that must not come next are refused, and none of them is stored", () =>
    Effect.gen(function* () {
      yield* create()
      const before = yield* session()
      const refusal = (reason: string) => ({ _tag: "AppendRefused", sessionId: s1, reason })
      expect(yield* refused(append(userText("Hi"), userText("  ")))).toEqual(refusal("empty"))
      expect(yield* refused(append(userText("Hi"), result("c1")))).toEqual(refusal("result-without-call"))
      expect(yield* refused(append(userText("Hi"), assistant("", ["c1"])))).toEqual(refusal("calls-without-batch"))
      expect(yield* refused(append(assistant("", ["c1", "c2"]), result("c1")))).toEqual(refusal("calls-without-batch"))
      expect(yield* refused(append(assistant("", ["c1", "c2"]), result("c2"), result("c1")))).toEqual(
        refusal("batch-open")
      )
      expect(yield* refused(append(assistant("", ["c1"]), userText("Hi")))).toEqual(refusal("batch-open"))
      expect(yield* session()).toEqual(before)
      expect(yield* transcript()).toEqual([])
      expect((yield* append(userText("Hi")))[0]).toMatchObject({ seq: 1 })
    }))

  test("P7 a run keeps others from appending, until it ends", () =>
    Effect.gen(function* () {
      const { lease, run } = yield* createAndStart()
      expect(yield* refused(append(userText("Hi")))).toEqual({ _tag: "SessionBusy", sessionId: s1, runId: run.id })
      expect(yield* refused(append(result("c1")))).toMatchObject({ _tag: "SessionBusy" })
      yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
      expect((yield* append(userText("Hi"))).map(({ seq }) => seq)).toEqual([2])
    }))

  test("P7 a queued run keeps others from appending, even when no run holds the session", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      expect(yield* refused(append(userText("Hi")))).toEqual({ _tag: "SessionBusy", sessionId: s1, runId: r2 })
      expect(yield* storage.cancelQueued(r2)).toBe(true)
      expect((yield* append(userText("Hi"))).map(({ seq }) => seq)).toEqual([2])
    }))

  test("P2 every message is read back unchanged: any text, unknown parts and roles, vendors' metadata", () =>
    Effect.gen(function* () {
      yield* create()
      const messages: ReadonlyArray<Message> = [
        { role: "user", parts: [{ type: "text", text: "\u0000 \ud800 😀 \u2028 ' \" \\" }] },
        { role: "user", parts: [{ type: "hologram", colour: "blue", deep: [{ a: null }] }] },
        { role: "other", unknownRole: "critic", stored: { role: "critic", deep: [{ a: null }], text: "boo" } },
        assistant("", [], {
          partial: true,
          parts: [{ type: "reasoning", text: "hm", providerMetadata: { anthropic: { signature: "xyz", n: 1.5 } } }]
        })
      ]
      yield* append(...messages)
      expect((yield* transcript()).map(({ message }) => message)).toEqual(messages)
    }))

  test("P1 a transcript can be read from place to place, and never past the head", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      yield* append(userText("2"), userText("3"), userText("4"))
      const range = (bounds: { readonly from?: number; readonly to?: number }) =>
        Stream.runCollect(reader.transcript({ sessionId: s1, ...bounds })).pipe(
          Effect.map((entries) => Chunk.toReadonlyArray(entries).map(({ seq }) => Number(seq)))
        )
      expect(yield* range({})).toEqual([1, 2, 3, 4])
      expect(yield* range({ from: 2, to: 3 })).toEqual([2, 3])
      expect(yield* range({ from: 4 })).toEqual([4])
      expect(yield* range({ to: 1 })).toEqual([1])
      expect(yield* range({ from: 3, to: 2 })).toEqual([])
      expect(yield* range({ from: 5 })).toEqual([])
      expect(yield* range({ to: 99 })).toEqual([1, 2, 3, 4])
    }))

  test("P1 a transcript of many pages is read whole and in order", () =>
    Effect.gen(function* () {
      yield* create()
      yield* append(...Array.from({ length: 2_500 }, (_, index) => userText(`message ${index}`)))
      const entries = yield* transcript()
      expect(entries.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 1))
      expect(entries[2_499]).toMatchObject({ message: userText("message 2499") })
    }))

  test("P7 sessions are independent of each other", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      const other = yield* createAndStart({ sessionId: s2, runId: r2 })
      yield* appendStep(other.lease, assistant("Yes"))
      expect(yield* transcriptLines(s1)).toEqual(["1 user Hello"])
      expect(yield* transcriptLines(s2)).toEqual(["1 user Hello", "2 assistant Yes"])
    }))
}
