import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck, Option, Schema } from "effect"
import * as Message from "../../../src/domain/Message.js"
import { anyEntries, settledEntries } from "../../support/fixtures/transcripts.js"

const decode = Schema.decodeUnknownEither(Message.Message)
const model = { provider: "p", model: "m" }
const usage = { inputTokens: 1, outputTokens: 2, reasoningTokens: null, cachedInputTokens: null }
const assistant = (parts: ReadonlyArray<unknown>) => ({ role: "assistant", parts, model, finish: "stop", usage })

describe("Message", () => {
  it.prop("survives being stored and read", [FastCheck.oneof(settledEntries, anyEntries)], ([entries]) => {
    for (const { message } of entries) {
      const stored = JSON.stringify(Schema.encodeSync(Message.Message)(message))
      expect(Either.map(decode(JSON.parse(stored)), (message) => JSON.stringify(message))).toEqual(Either.right(stored))
    }
  })

  it.prop(
    "a part of an unknown type is kept whole, whatever it holds",
    [FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue(), { noNullPrototype: true })],
    ([fields]) => {
      FastCheck.pre(!Object.hasOwn(fields, "__proto__"))
      const part = { ...fields, type: "audio" }
      for (const message of [{ role: "user", parts: [part] }, assistant([part, { type: "text", text: "hi" }])]) {
        expect(decode(message)).toEqual(Either.right(message))
      }
    }
  )

  it("unknown fields are ignored at any depth", () => {
    const known = { role: "user", parts: [{ type: "text", text: "hi" }] }
    const later = { ...known, later: 1, parts: known.parts.map((part) => ({ ...part, later: { deep: true } })) }
    expect(decode(later)).toEqual(Either.right(known))
  })

  it("metadata of a vendor is opaque and kept as it is", () => {
    const part = {
      type: "reasoning",
      text: "",
      providerMetadata: { vendor: { signature: "s", n: [1, null, { a: true }] } }
    }
    expect(decode(assistant([part]))).toEqual(Either.right(assistant([part])))
  })

  it.each([
    ["a known part without its fields", { role: "user", parts: [{ type: "text" }] }],
    ["a call in a user message", { role: "user", parts: [{ type: "call", callId: "c", name: "n", input: "" }] }],
    ["a call id that is a path", assistant([{ type: "call", callId: "../c", name: "n", input: "" }])],
    ["a part without a type", { role: "user", parts: [{}] }],
    ["an unknown role", { role: "system", parts: [] }],
    ["an unknown outcome", { role: "tool", callId: "c", name: "n", outcome: "maybe", text: "" }]
  ])("does not decode %s", (_, message) => {
    expect(Option.isNone(Schema.decodeUnknownOption(Message.Message)(message))).toBe(true)
  })

  it("callsOf and textOf read calls and texts, and nothing from unknown parts", () => {
    const call = { type: "call", callId: "c1", name: "n", input: "{" }
    const message = decode(
      assistant([{ type: "text", text: "a" }, call, { type: "audio", text: "x" }, { type: "text", text: "b" }])
    )
    expect(Either.map(message, Message.callsOf)).toEqual(Either.right([call]))
    expect(Either.map(message, Message.textOf)).toEqual(Either.right("ab"))
    expect(Message.callsOf(Message.userText("hi"))).toEqual([])
    expect(Message.textOf(Message.userText("hi"))).toBe("hi")
  })
})
