import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, Schema } from "effect"
import { Checked } from "../../../src/domain/Checked.js"
import { JsonRecord } from "../../../src/domain/Json.js"
import * as Limits from "../../../src/domain/Limits.js"
import { CallId, Message, userText } from "../../../src/domain/Message.js"

const messages = Arbitrary.make(Schema.typeSchema(Message))
const records = Arbitrary.make(JsonRecord)

describe("Checked", () => {
  it.prop(
    "the texts of message and metadata, joined, are the JSON of both",
    [messages, records],
    ([message, record]) => {
      const texts = Either.all([Checked.message(message, Limits.defaults), Checked.metadata(record, Limits.defaults)])
      const [{ json, value }, metadata] = Either.getOrThrow(texts)
      expect(value).toBe(message)
      const stored = message.role === "other" ? message.stored : message
      expect(`[${json},${metadata.json}]`).toBe(JSON.stringify([stored, record]))
    }
  )

  it("P12 clear refusal: names the field, the limit and the bytes", () => {
    const limits = { ...Limits.defaults, messageBytes: 60, metadataBytes: 10 }
    expect(Either.flip(Checked.message(userText("x".repeat(20)), limits)).pipe(Either.getOrThrow)).toMatchObject({
      field: "message",
      limit: "at most 60 bytes",
      actual: "71 bytes"
    })
    expect(Either.flip(Checked.metadata({ a: "x".repeat(3) }, limits)).pipe(Either.getOrThrow)).toMatchObject({
      field: "metadata",
      limit: "at most 10 bytes",
      actual: "11 bytes"
    })
    expect(Either.isRight(Checked.metadata({ a: "xx" }, limits))).toBe(true)
  })

  it("P12 clear refusal: a message may be exactly as long as the limit, in bytes of UTF-8, and no byte longer", () => {
    const frame = JSON.stringify(userText("")).length
    const { messageBytes } = Limits.defaults
    const check = (text: string) => Checked.message(userText(text), Limits.defaults)
    for (const [wide, bytes] of [
      ["x", 1],
      ["ä", 2],
      ["😀", 4]
    ] as const) {
      const rest = messageBytes - frame - bytes
      expect(Either.isRight(check(wide + "x".repeat(rest)))).toBe(true)
      expect(Either.flip(check(wide + "x".repeat(rest + 1))).pipe(Either.getOrThrow)).toMatchObject({
        field: "message",
        limit: `at most ${messageBytes} bytes`,
        actual: `${messageBytes + 1} bytes`
      })
    }
  })

  it("P12 clear refusal: names a message by the given field, such as messages.1 or result", () => {
    const limits = { ...Limits.defaults, messageBytes: 60 }
    const result: Message = {
      role: "tool",
      callId: CallId.make("c1"),
      name: "shout",
      outcome: "success",
      text: "x".repeat(60)
    }
    for (const field of ["messages.1", "result"]) {
      expect(Either.flip(Checked.message(result, limits, field)).pipe(Either.getOrThrow)).toMatchObject({
        field,
        limit: "at most 60 bytes"
      })
    }
  })

  it("noMetadata is the checked form of an empty object", () => {
    expect(Checked.noMetadata).toEqual(Either.getOrThrow(Checked.metadata({}, Limits.defaults)))
  })
})
