import { describe, expect, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { Message } from "../../../src/domain/Message.js"
import { ModelRef } from "../../../src/domain/ModelRef.js"
import * as Refusal from "../../../src/domain/Refusal.js"

describe("Refusal", () => {
  describe("decoder", () => {
    const decode = Refusal.decoder(
      Schema.Struct({ parts: Schema.Array(Schema.Struct({ text: Schema.String })) }),
      "message"
    )

    it("returns what the schema decodes", () => {
      expect(decode({ parts: [{ text: "hi" }] })).toEqual(Either.right({ parts: [{ text: "hi" }] }))
    })

    it.each([
      [{ parts: [{ text: "hi" }, { text: 1 }] }, "message.parts.1.text"],
      [{ parts: [{}] }, "message.parts.0.text"],
      [{}, "message.parts"],
      [null, "message"]
    ])("P12 clear refusal: %j is refused with the path of the field", (input, field) => {
      expect(Either.flip(decode(input)).pipe(Either.getOrThrow)).toMatchObject({ _tag: "InvalidInput", field })
    })
  })

  describe("names the field at fault in the union member that was meant", () => {
    const field = (schema: Schema.Schema.AnyNoContext, input: unknown) =>
      Either.getOrThrow(Either.flip(Refusal.decoder(Schema.typeSchema(schema))(input))).field
    const call = { type: "call", callId: "c", name: "n", input: "{}" }
    const assistant = (...parts: ReadonlyArray<unknown>) => ({
      role: "assistant",
      parts,
      model: { provider: "p", model: "m" },
      finish: "stop",
      usage: { inputTokens: null, outputTokens: null, reasoningTokens: null, cachedInputTokens: null }
    })

    it.each<readonly [string, unknown, string]>([
      ["a part", assistant(call, { ...call, callId: "../c" }), "parts.1.callId"],
      ["a text", { role: "user", parts: [{ type: "text", text: 1 }] }, "parts.0.text"],
      ["a missing field", { role: "user", parts: [{ type: "file", assetId: "a" }] }, "parts.0.mediaType"],
      ["a part of another role", { role: "user", parts: [call] }, "parts.0.type"],
      ["a part without a type", { role: "user", parts: [{ text: "a" }] }, "parts.0.type"],
      ["an outcome", { role: "tool", callId: "c", name: "n", outcome: "great", text: "" }, "outcome"],
      ["an unknown role", { role: "system", parts: [] }, "role"],
      ["no role", { parts: [] }, "role"],
      ["not a message at all", "hello", ""]
    ])("P12 in a message: %s", (_, input, expected) => {
      expect(field(Message, input)).toBe(expected)
    })

    it.each<readonly [string, unknown, string]>([
      ["a field", { provider: "p", model: "" }, "model"],
      ["a nested field", { provider: "p", model: "m", options: { temperature: 9 } }, "options.temperature"],
      ["neither an object nor null", 5, ""]
    ])("P12 in a value that may be null: %s", (_, input, expected) => {
      expect(field(Schema.NullOr(ModelRef), input)).toBe(expected)
    })
  })
})

describe("the description of a refused value", () => {
  const refusal = <A, I>(schema: Schema.Schema<A, I>, input: unknown) => {
    const { actual, field, limit } = Either.getOrThrow(Either.flip(Refusal.decoder(schema, "input")(input)))
    return [field, limit, actual]
  }
  const fields = Schema.Struct({
    name: Schema.NonEmptyString,
    inner: Schema.optional(Schema.Struct({ n: Schema.Int }))
  })

  it.each<readonly [unknown, ReadonlyArray<unknown>]>([
    [{}, ["input.name", "a non empty string", "nothing"]],
    [{ name: null }, ["input.name", expect.any(String), "null"]],
    [{ name: 7 }, ["input.name", expect.any(String), "7"]],
    [{ name: true }, ["input.name", expect.any(String), "a value of type boolean"]],
    [{ name: "" }, ["input.name", expect.any(String), "a text of 0 characters"]],
    [
      { name: "a", inner: { n: "😀x" } },
      [expect.stringContaining("input.inner"), expect.any(String), expect.any(String)]
    ],
    [undefined, ["input", expect.any(String), "nothing"]]
  ])("P12 %j is described by its field, the limit and the kind of value", (input, said) => {
    expect(refusal(fields, input)).toEqual(said)
  })

  it.each<readonly [unknown, ReadonlyArray<unknown>]>([
    ["x", ["input", "an object", "a text of 1 characters"]],
    [{ role: "user", parts: "x" }, ["input.parts", "a list", "a text of 1 characters"]],
    [{ role: "user", parts: [1] }, ["input.parts.0", "an object", "1"]],
    [{ role: "user", parts: {} }, ["input.parts", "a list", "an object"]]
  ])("P12 says what is a list and what is an object, and shows no type: a message of %j", (input, said) => {
    expect(refusal(Schema.typeSchema(Message), input)).toEqual(said)
    expect(refusal(fields, [])).toEqual(["input", "an object", "a list"])
  })

  it("P12 names the values that tell the members of a union apart, and what else is allowed, in words", () => {
    const message = Schema.typeSchema(Message)
    const ofParts = (...parts: ReadonlyArray<unknown>) => refusal(message, { role: "user", parts })
    expect(ofParts({ type: "call" })).toEqual(["input.parts.0.type", '"text" or "file"', "a text of 4 characters"])
    expect(ofParts({ text: "a" })).toEqual(["input.parts.0.type", '"text" or "file"', "nothing"])
    const limit = (f: Schema.Struct.Field) => {
      const schema = Schema.make<unknown, unknown>(Schema.Struct({ f }).ast)
      return refusal(schema, { f: 1n })[1]
    }
    expect(limit(Schema.optional(Schema.Literal("a", "b")))).toBe('"a" or "b"')
    expect(limit(Schema.NullOr(Schema.Array(Schema.String)))).toBe("null or a list")
    expect(limit(Schema.Union(Schema.String, Schema.Array(Schema.String), Schema.Boolean))).toBe(
      "a string, a list or a boolean"
    )
    expect(limit(Schema.NullOr(Schema.NonEmptyString.pipe(Schema.brand("Owner"))))).toBe("null or a non empty string")
    expect(limit(Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.Unknown })))).toBe("null or an object")
    expect(limit(Schema.NullOr(Schema.Object))).toBe("null or an object")
    expect(limit(Schema.NullOr(Schema.TemplateLiteral("a", Schema.Number)))).toBe("null or a text of a certain form")
    expect(limit(Schema.String.pipe(Schema.filter((text) => text !== "x")))).toBe("a string")
    expect(limit(Schema.Uint8ArrayFromBase64.annotations({ description: "base64" }))).toBe("base64")
  })

  it("P12 a description of the limit is cut beyond 200 characters", () => {
    const described = (length: number) =>
      Schema.String.pipe(Schema.filter(() => false, { description: "d".repeat(length) }))
    expect(refusal(described(200), "x")[1]).toBe("d".repeat(200))
    expect(refusal(described(201), "x")[1]).toBe(`${"d".repeat(199)}…`)
  })

  it("P12 names a refinement if its value has the right type, or else the field of the wrong type", () => {
    const refined = Schema.Struct({ n: Schema.Number }).pipe(Schema.filter(() => false, { description: "a good one" }))
    expect(refusal(refined, { n: 1 })).toEqual(["input", "a good one", "an object"])
    expect(refusal(refined, { n: "x" })).toEqual(["input.n", "a number", "a text of 1 characters"])
  })

  it("P12 names a union as a whole, and a transformation by the field of its encoded form", () => {
    const union = Schema.Union(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String }))
    const [field, limit] = refusal(union.annotations({ description: "a or b" }), { a: 1 })
    expect([field, limit]).toEqual(["input", "a or b"])
    const made = Schema.transform(Schema.Struct({ at: Schema.Number }), Schema.Unknown, {
      decode: ({ at }) => at,
      encode: () => ({ at: 0 })
    })
    expect(refusal(made, { at: "x" })).toEqual(["input.at", "a number", "a text of 1 characters"])
  })

  it("P12 refuses a value nested too deeply to be checked, without a crash", () => {
    interface Nest {
      readonly inner?: Nest | undefined
    }
    const Nest: Schema.Schema<Nest> = Schema.Struct({ inner: Schema.optional(Schema.suspend(() => Nest)) })
    const deep = Array.from({ length: 200_000 }).reduce<Nest>((inner) => ({ inner }), {})
    expect(refusal(Nest, deep)).toEqual(["input", "nested less deeply", "nested too deeply"])
  })
})
