import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { CallId, textOf } from "../../../src/domain/Message.js"
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
const finish: StepDraft.Part = { type: "finish", reason: "stop", usage: { ...Usage.unknown, outputTokens: 3 } }

const model = { provider: "anthropic", model: "claude" }
const ids = ["c0", "c1", "c2"].map((id) => CallId.make(id))

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
    expect(
      StepDraft.toMessage(of(reasoning("r", "a"), text("t", "b"), text("u", "c"), finish), model, [])?.parts
    ).toEqual([
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
      { index: 0, name: "read", input: '{"a":2}', closed: true, providerCallId: "p0" },
      { index: 1, name: "read", input: '{"b":1}', closed: false }
    ])
  })

  it("keeps the newest metadata of a block, that which comes after its text too", () => {
    const signed: StepDraft.Part = { type: "reasoning", id: "r", delta: "", providerMetadata: { vendor: { sig: "s" } } }
    const draft = of(reasoning("r", "a"), reasoning("q", "b"), signed, text("t", "c"), finish)
    expect(StepDraft.toMessage(draft, model, [])?.parts).toEqual([
      { type: "reasoning", text: "a", providerMetadata: { vendor: { sig: "s" } } },
      { type: "reasoning", text: "b" },
      { type: "text", text: "c" }
    ])
  })

  it.prop("what was written so far only grows at its end", [parts], ([parts]) => {
    let draft = StepDraft.empty
    for (const part of parts) {
      const next = StepDraft.add(draft, part)
      expect(StepDraft.text(next).startsWith(StepDraft.text(draft))).toBe(true)
      expect(StepDraft.reasoning(next).startsWith(StepDraft.reasoning(draft))).toBe(true)
      draft = next
    }
  })

  it.prop("its text is that of its message, and has every delta once", [parts], ([parts]) => {
    const draft = of(...parts, finish)
    const message = StepDraft.toMessage(draft, model, ids)
    expect(message === null ? "" : textOf(message)).toBe(StepDraft.text(draft))
    expect(StepDraft.text(draft)).toBe(parts.map((part) => (part.type === "text" ? part.delta : "")).join(""))
  })
})

describe("its message", () => {
  it("has the closed calls, each with an id of its own, and what the model said of its end", () => {
    const draft = of(text("t", "I read"), call(0, "{}"), delta(1, "{"), call(2, "[]"), finish)
    expect(StepDraft.isFinished(draft)).toBe(true)
    expect(StepDraft.toMessage(draft, model, ids)).toEqual({
      role: "assistant",
      parts: [
        { type: "text", text: "I read" },
        { type: "call", callId: "c0", name: "read", input: "{}", providerCallId: "p0" },
        { type: "call", callId: "c1", name: "read", input: "[]", providerCallId: "p2" }
      ],
      model,
      finish: "stop",
      usage: { ...Usage.unknown, outputTokens: 3 }
    })
  })

  it("P4 always sendable: unfinished, is partial and has no calls", () => {
    const draft = of(reasoning("r", "hm"), text("t", "I re"), call(0, "{}"))
    expect(StepDraft.isFinished(draft)).toBe(false)
    expect(StepDraft.toMessage(draft, model, ids)).toEqual({
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

  it("is none when nothing was written, or only calls that were not finished", () => {
    expect(StepDraft.toMessage(StepDraft.empty, model, [])).toBeNull()
    expect(StepDraft.toMessage(of(text("t", ""), call(0, "{}")), model, ids)).toBeNull()
  })

  it("leaves empty blocks out, unless the vendor has something to keep with them", () => {
    const redacted: StepDraft.Part = { type: "reasoning", id: "r", delta: "", providerMetadata: { vendor: 1 } }
    const draft = of(text("t", ""), redacted, finish)
    expect(StepDraft.toMessage(draft, model, [])?.parts).toEqual([
      { type: "reasoning", text: "", providerMetadata: { vendor: 1 } }
    ])
  })
})
