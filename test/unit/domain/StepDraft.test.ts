import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck, Option } from "effect"
import { CallId, FinishReason } from "../../../src/domain/Message.js"
import * as StepDraft from "../../../src/domain/StepDraft.js"
import * as Usage from "../../../src/domain/Usage.js"

const of = (...parts: ReadonlyArray<StepDraft.Part>) => parts.reduce(StepDraft.add, StepDraft.empty)

const text = (id: string, delta: string): StepDraft.Part => ({ type: "text", id, delta })
const reasoning = (id: string, delta: string): StepDraft.Part => ({ type: "reasoning", id, delta })
const delta = (index: number, delta: string): StepDraft.Part => ({ type: "call.delta", index, name: "read", delta })
const call = (index: number, input: string): StepDraft.Part => ({
  type: "call",
  index,
  name: "read",
  input,
  providerCallId: `p${index}`
})
const finishWith = (reason: FinishReason): StepDraft.Part => ({
  type: "finish",
  reason,
  usage: { ...Usage.unknown, outputTokens: 3 }
})
const finish = finishWith("stop")

const model = { provider: "anthropic", model: "claude" }
const ids = new Map([0, 1, 2].map((index) => [index, CallId.make(`c${index}`)] as const))

/** What is stored of a draft: its message if it is finished, else its partial one. */
const messageOf = (draft: StepDraft.StepDraft, callIds: ReadonlyMap<number, CallId> = new Map()) =>
  draft.finish === null
    ? StepDraft.toPartialMessage(draft, model)
    : StepDraft.toMessage({ ...draft, finish: draft.finish }, model, callIds)

const flawOf = (draft: StepDraft.StepDraft) => Option.getOrNull(Either.getLeft(StepDraft.finished(draft)))

const ofText = FastCheck.oneof(
  FastCheck.tuple(FastCheck.constantFrom("a", "b"), FastCheck.constantFrom("", "x", "yz")).map(([id, delta]) =>
    text(id, delta)
  ),
  FastCheck.tuple(FastCheck.constantFrom("a", "b"), FastCheck.constantFrom("", "x", "yz")).map(([id, delta]) =>
    reasoning(id, delta)
  )
)
const ofCall = FastCheck.oneof(
  FastCheck.nat(2).map((index) => delta(index, "{")),
  FastCheck.nat(2).map((index) => call(index, "{}"))
)
const parts = FastCheck.array(FastCheck.oneof(ofText, ofCall), { maxLength: 14 })

describe("a step being written", () => {
  it("joins the deltas of each block, in the order in which blocks began", () => {
    const draft = of(reasoning("r", "I "), reasoning("r", "think"), text("t", "So "), text("t", "it is"))
    expect(StepDraft.reasoning(draft)).toBe("I think")
    expect(StepDraft.text(draft)).toBe("So it is")
    expect(messageOf(of(reasoning("r", "a"), text("t", "b"), text("u", "c"), finish))?.parts).toEqual([
      { type: "reasoning", text: "a" },
      { type: "text", text: "b" },
      { type: "text", text: "c" }
    ])
  })

  it("tells a text and a reasoning of the same id apart", () => {
    const draft = of(text("0", "said"), reasoning("0", "thought"))
    expect([StepDraft.text(draft), StepDraft.reasoning(draft)]).toEqual(["said", "thought"])
  })

  it("collects calls by index, and closes them with their whole input", () => {
    const draft = of(delta(1, '{"b'), delta(0, '{"a'), delta(1, '":1}'), call(0, '{"a":2}'))
    expect(StepDraft.calls(draft)).toMatchObject([
      { index: 0, name: "read", input: { whole: '{"a":2}' }, closed: true, providerCallId: "p0" },
      { index: 1, name: "read", input: { whole: '{"b":1}' }, closed: false }
    ])
  })

  it("keeps the newest metadata of a block, even if it comes after the text", () => {
    const signed: StepDraft.Part = { type: "reasoning", id: "r", delta: "", providerMetadata: { vendor: { sig: "s" } } }
    const draft = of(reasoning("r", "a"), reasoning("q", "b"), signed, text("t", "c"), finish)
    expect(messageOf(draft)?.parts).toEqual([
      { type: "reasoning", text: "a", providerMetadata: { vendor: { sig: "s" } } },
      { type: "reasoning", text: "b" },
      { type: "text", text: "c" }
    ])
  })

  it.prop("the text written so far only grows at its end", [parts], ([parts]) => {
    let draft = StepDraft.empty
    for (const part of parts) {
      const next = StepDraft.add(draft, part)
      expect(StepDraft.text(next).startsWith(StepDraft.text(draft))).toBe(true)
      expect(StepDraft.reasoning(next).startsWith(StepDraft.reasoning(draft))).toBe(true)
      draft = next
    }
  })

  it.prop("its message has every block whole, in the order in which they began", [parts], ([parts]) => {
    const blocks = new Map<string, { type: string; text: string }>()
    for (const part of parts) {
      if (part.type !== "text" && part.type !== "reasoning") continue
      const key = `${part.type} ${part.id}`
      blocks.set(key, { type: part.type, text: (blocks.get(key)?.text ?? "") + part.delta })
    }
    const message = messageOf(of(...parts, finish))
    expect(message?.parts).toEqual([...blocks.values()].filter(({ text }) => text !== ""))
  })

  const turns = FastCheck.array(FastCheck.tuple(FastCheck.nat(2), FastCheck.constantFrom("x", "yz", "end")))

  it.prop(
    "its message begins with what was written so far, even if blocks are written at the same time",
    [FastCheck.constantFrom("text" as const, "reasoning" as const), turns],
    ([type, turns]) => {
      const ended = new Set<number>()
      const woven = turns.flatMap(([block, word]): ReadonlyArray<StepDraft.Part> => {
        if (ended.has(block)) return []
        if (word !== "end") return [{ type, id: `${block}`, delta: `${block}${word}` }]
        ended.add(block)
        return [{ type, id: `${block}`, delta: "", hasEnded: true }]
      })
      const begun = [0, 1, 2].map((block): StepDraft.Part => ({
        type,
        id: `${block}`,
        delta: "",
        waitsFor: `${block - 1}`
      }))
      const all = [...begun, ...woven, finish]
      const message = messageOf(of(...all))
      const whole = message?.parts.map((part) => (part.type === type ? part.text : "")).join("") ?? ""
      const show = type === "text" ? StepDraft.text : StepDraft.reasoning
      const seen = all.map((_, count) => show(of(...all.slice(0, count + 1))))
      seen.forEach((text, at) => {
        expect(whole.startsWith(text)).toBe(true)
        expect(text.startsWith(seen[at - 1] ?? "")).toBe(true)
      })
      expect(seen.at(-1)).toBe(whole)
    }
  )

  it("shows a block that waits as soon as the one before it has ended", () => {
    const waiting: StepDraft.Part = { type: "text", id: "b", delta: "said", waitsFor: "a" }
    const ended: StepDraft.Part = { type: "text", id: "a", delta: "", hasEnded: true }
    const draft = of(text("a", "I "), waiting)
    expect(StepDraft.text(draft)).toBe("I ")
    expect(StepDraft.text(of(text("a", "I "), waiting, ended))).toBe("I said")
    expect(messageOf(draft)).toMatchObject({
      partial: true,
      parts: [{ text: "I " }, { text: "said" }]
    })
  })

  it("puts a block that continues another one right after it", () => {
    const second: StepDraft.Part = { type: "reasoning", id: "s", delta: "two", continues: "r" }
    const draft = of(reasoning("r", "one"), text("t", "so"), second, finish)
    expect(messageOf(draft)?.parts).toMatchObject([{ text: "one" }, { text: "two" }, { text: "so" }])
  })
})

describe("a step's message", () => {
  it("has the calls, each with its own id, and the model's finish reason and usage", () => {
    const draft = of(text("t", "I read"), call(0, "{}"), delta(1, "["), call(1, "[]"), finish)
    expect(messageOf(draft, ids)).toEqual({
      role: "assistant",
      parts: [
        { type: "text", text: "I read" },
        { type: "call", callId: "c0", name: "read", input: "{}", providerCallId: "p0" },
        { type: "call", callId: "c1", name: "read", input: "[]", providerCallId: "p1" }
      ],
      model,
      finish: "stop",
      usage: { ...Usage.unknown, outputTokens: 3 }
    })
  })

  it("P4 always sendable: is partial and has no calls if the step is unfinished", () => {
    const draft = of(reasoning("r", "hm"), text("t", "I re"), call(0, "{}"))
    expect(messageOf(draft, ids)).toEqual({
      role: "assistant",
      parts: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "I re" }
      ],
      model,
      finish: "error",
      usage: Usage.unknown,
      partial: true
    })
  })

  it("does not exist when nothing was written, or only calls in an unfinished step", () => {
    expect(messageOf(StepDraft.empty)).toBeNull()
    expect(messageOf(of(text("t", ""), call(0, "{}")), ids)).toBeNull()
  })

  it("leaves out empty blocks, unless they carry a vendor's metadata", () => {
    const redacted: StepDraft.Part = { type: "reasoning", id: "r", delta: "", providerMetadata: { vendor: 1 } }
    const draft = of(text("t", ""), redacted, finish)
    expect(messageOf(draft)?.parts).toEqual([{ type: "reasoning", text: "", providerMetadata: { vendor: 1 } }])
  })
})

describe("the flaw of a step at its end", () => {
  it("does not exist when the model has finished everything it began", () => {
    expect(flawOf(of(text("t", "I read"), call(0, "{}"), finish))).toBeNull()
    expect(flawOf(of(finish))).toBeNull()
  })

  it("is a stream without a finish", () => {
    expect(flawOf(of(text("t", "I re")))).toEqual({
      reason: "cut",
      detail: "the stream ended without a finish"
    })
  })

  for (const reason of FinishReason.literals) {
    const isStopped = reason === "length" || reason === "content-filter"
    it(`is ${isStopped ? "not " : ""}an unfinished call when the finish reason is ${reason}`, () => {
      const draft = of(call(0, "{}"), delta(1, '{"a'), finishWith(reason))
      expect(flawOf(draft)?.reason).toBe(isStopped ? undefined : "cut")
      expect(messageOf(draft, ids)?.parts).toMatchObject([{ input: "{}" }, { input: '{"a' }])
    })
  }

  it.each([-1, 0.5, NaN, 2 ** 60])("is an invalid count of tokens: %s", (inputTokens) => {
    const end: StepDraft.Part = { type: "finish", reason: "stop", usage: { ...Usage.unknown, inputTokens } }
    expect(flawOf(of(text("t", "I read"), end))?.reason).toBe("malformed")
  })

  it("is a finish for a reason that is not ours, such as the vendor's own word", () => {
    const words = ["end_turn"].filter((word): word is FinishReason => word !== "")
    expect(words.map((reason) => flawOf(of(text("t", "I read"), finishWith(reason))))).toEqual([
      {
        reason: "malformed",
        detail: "the finish reason is not stop, length, content-filter, tool-calls, paused, error, or other"
      }
    ])
  })

  it("is a finish for calls without any call", () => {
    expect(flawOf(of(text("t", "I read"), finishWith("tool-calls")))?.reason).toBe("cut")
  })

  it("is a second call with the index of a closed one, in any form", () => {
    for (const again of [call(0, '{"b":1}'), delta(0, '{"b":1}'), delta(0, "")]) {
      const draft = of(call(0, '{"a":1}'), again, finish)
      expect(flawOf(draft)).toEqual({ reason: "malformed", detail: "two calls have the same index" })
      expect(StepDraft.calls(draft)).toMatchObject([{ input: { whole: '{"a":1}' } }])
    }
  })
})
