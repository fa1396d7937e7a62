import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import {
  type AssistantMessage,
  CallId,
  type Entry,
  isText,
  type Message,
  type ResultMessage,
  userText
} from "../../../src/domain/Message.js"
import { Seq, SessionId } from "../../../src/domain/Session.js"
import * as Transcript from "../../../src/domain/Transcript.js"
import { unknown } from "../../../src/domain/Usage.js"
import { anyEntries, entriesOf, settledEntries } from "../../support/fixtures/transcripts.js"

const sessionId = SessionId.make("s1")

const asking = (...ids: ReadonlyArray<string>): AssistantMessage => ({
  role: "assistant",
  parts: [
    { type: "text", text: "I look" },
    ...ids.map((id) => ({ type: "call" as const, callId: CallId.make(id), name: `tool-${id}`, input: "{}" }))
  ],
  model: { provider: "p", model: "m" },
  finish: "tool-calls",
  usage: unknown
})

const answering = (id: string): ResultMessage => ({
  role: "tool",
  callId: CallId.make(id),
  name: `tool-${id}`,
  outcome: "success",
  text: "done"
})

const appended = (messages: ReadonlyArray<Message>) =>
  messages.reduce(
    (state: ReturnType<typeof Transcript.append>, message) =>
      Either.flatMap(state, (state) => Transcript.append(state, message)),
    Either.right(Transcript.empty(sessionId))
  )

const reasonOf = (messages: ReadonlyArray<Message>) =>
  Either.match(appended(messages), { onLeft: (refusal) => refusal.reason, onRight: () => "accepted" })

/** Independent of `Transcript`: checks the rule on the whole list instead of message by message. */
const eachCallHasItsResult = (messages: ReadonlyArray<Message>): boolean => {
  const callIds = (message: Message | undefined) =>
    message?.role === "assistant" ? message.parts.flatMap((part) => ("callId" in part ? [part.callId] : [])) : []
  const taken = new Set<number>()
  for (const [at, message] of messages.entries()) {
    const ids = callIds(message)
    for (const [index, id] of ids.entries()) {
      const result = messages[at + 1 + index]
      if (result?.role !== "tool" || result.callId !== id) return false
      taken.add(at + 1 + index)
    }
  }
  return messages.every((message, at) => message.role !== "tool" || taken.has(at))
}

const isProper = (message: Message): boolean =>
  message.role === "user"
    ? message.parts.some((part) => !isText(part) || part.text.trim() !== "")
    : message.role !== "assistant" || !message.partial || message.parts.every((part) => part.type !== "call")

const messagesOf = (entries: ReadonlyArray<Entry>) => entries.map(({ message }) => message)

describe("Transcript", () => {
  describe("append", () => {
    it("takes a batch's results right after its message, in call order", () => {
      expect(reasonOf([userText("hi"), asking("a", "b"), answering("a"), answering("b"), asking("c")])).toBe("accepted")
    })

    it("P1 one order: refuses a result before its turn", () => {
      expect(reasonOf([asking("a", "b"), answering("b")])).toBe("batch-open")
    })

    it.each([["user", userText("hi")] as const, ["assistant", asking()] as const, ["calls", asking("c")] as const])(
      "P4 always sendable: refuses other messages while a batch is open (%s)",
      (_, message) => {
        expect(reasonOf([asking("a", "b"), answering("a"), message])).toBe("batch-open")
        expect(reasonOf([asking("a"), answering("a"), message])).toBe("accepted")
      }
    )

    it("refuses a result without its call, and a second result", () => {
      expect(reasonOf([answering("a")])).toBe("result-without-call")
      expect(reasonOf([asking("a"), answering("x")])).toBe("result-without-call")
      expect(reasonOf([asking("a"), answering("a"), answering("a")])).toBe("result-without-call")
    })

    it("refuses a partial message with calls", () => {
      expect(reasonOf([{ ...asking(), partial: true }])).toBe("accepted")
      expect(reasonOf([{ ...asking("a"), partial: true }])).toBe("calls-without-batch")
    })

    it("refuses a user message that says nothing; an assistant message may be empty", () => {
      expect(reasonOf([{ role: "user", parts: [] }])).toBe("empty")
      expect(reasonOf([userText(" \n")])).toBe("empty")
      expect(reasonOf([{ ...asking(), parts: [] }])).toBe("accepted")
    })

    it("a refusal names the session", () => {
      expect(Either.flip(appended([answering("a")])).pipe(Either.getOrThrow)).toMatchObject({
        _tag: "AppendRefused",
        sessionId
      })
    })

    it.prop(
      "P4 always sendable: accepts a transcript exactly if all its calls have their results or can get them",
      [anyEntries],
      ([entries]) => {
        const messages = messagesOf(entries)
        const state = appended(messages)
        const open = Either.isRight(state) ? [...state.right.open] : []
        const closed = [...messages, ...open.map(({ callId }): Message => ({ ...answering("x"), callId }))]
        expect(Either.isRight(state)).toBe(closed.every(isProper) && eachCallHasItsResult(closed))
      }
    )
  })

  describe("appendAll", () => {
    const appendAll = (messages: ReadonlyArray<Message>) =>
      Either.match(Transcript.appendAll(Transcript.empty(sessionId), messages), {
        onLeft: ({ reason }) => reason,
        onRight: ({ head }) => head
      })

    it("takes whole batches only", () => {
      expect(appendAll([userText("hi"), asking("a"), answering("a")])).toBe(3)
      expect(appendAll([userText("hi"), asking("a", "b"), answering("a")])).toBe("calls-without-batch")
      expect(appendAll([userText("hi"), answering("a")])).toBe("result-without-call")
      expect(appendAll([])).toBe(0)
    })
  })

  describe("fold", () => {
    it.prop("is the same as appending one by one", [FastCheck.oneof(settledEntries, anyEntries)], ([entries]) => {
      expect(Transcript.fold(sessionId, entries)).toEqual(appended(messagesOf(entries)))
    })

    it("starts at the place where a part of a transcript begins", () => {
      const part = entriesOf([userText("hi"), asking("a", "b"), answering("a")]).map((entry) => ({
        ...entry,
        seq: Seq.make(entry.seq + 40)
      }))
      const state = Either.getOrThrow(Transcript.fold(sessionId, part))
      expect(state.head).toBe(43)
      expect([...state.open]).toEqual([{ callId: "b", name: "tool-b", index: 1, seq: 44 }])
    })
  })

  describe("isSendable", () => {
    it.prop("P4 always sendable: agrees with the rule checked on the whole list", [anyEntries], ([entries]) => {
      const messages = messagesOf(entries)
      expect(Transcript.isSendable(entries)).toBe(messages.every(isProper) && eachCallHasItsResult(messages))
    })

    it.prop(
      "P4 always sendable: holds for settled transcripts, and for none with a result taken out",
      [settledEntries],
      ([entries]) => {
        expect(Transcript.isSendable(entries)).toBe(true)
        for (const result of entries.filter(({ message }) => message.role === "tool")) {
          expect(Transcript.isSendable(entries.filter((entry) => entry !== result))).toBe(false)
        }
      }
    )
  })

  describe("turns", () => {
    it.prop("hold every entry once, in order", [FastCheck.oneof(settledEntries, anyEntries)], ([entries]) => {
      expect(Transcript.turns(entries).flat()).toEqual(entries)
    })

    it.prop("can each stand alone: no batch is split", [settledEntries], ([entries]) => {
      for (const turn of Transcript.turns(entries)) expect(Transcript.isSendable(turn)).toBe(true)
    })

    it.prop("begin at user messages, except perhaps the first turn", [anyEntries], ([entries]) => {
      for (const turn of Transcript.turns(entries).slice(1)) expect(turn[0]?.message.role).toBe("user")
    })

    it("consecutive user messages begin one turn", () => {
      const entries = entriesOf([
        asking(),
        userText("1"),
        asking("a"),
        answering("a"),
        asking(),
        userText("2"),
        userText("3"),
        asking()
      ])
      expect(Transcript.turns(entries).map((turn) => turn.map(({ seq }) => seq))).toEqual([
        [1],
        [2, 3, 4, 5],
        [6, 7, 8]
      ])
    })
  })

  it("takes a batch of ten thousand calls", () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `c${index}`)
    const entries = entriesOf([asking(...ids), ...ids.map(answering)])
    expect(Transcript.isSendable(entries)).toBe(true)
  })
})
