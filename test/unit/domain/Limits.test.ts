import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck, Schema } from "effect"
import * as Limits from "../../../src/domain/Limits.js"

const limits: Limits.Limits = { ...Limits.defaults, titleCharacters: 5 }

describe("Limits", () => {
  describe("title", () => {
    it.each([
      ["abc", "abc"],
      ["  a \n b ", "a b"],
      ["12345", "12345"],
      ["😀😀😀😀😀", "😀😀😀😀😀"]
    ])("takes %j as %j", (input, title) => {
      expect(Limits.title(input, limits)).toEqual(Either.right(title))
    })

    it.each([
      ["", "0"],
      [" \n\t", "0"],
      ["123456", "6"]
    ])("P12 clear refusal: refuses %j, naming the field, the limit and its %s characters", (input, actual) => {
      expect(Either.flip(Limits.title(input, limits)).pipe(Either.getOrThrow)).toMatchObject({
        _tag: "InvalidInput",
        field: "title",
        limit: "1 to 5 characters",
        actual
      })
    })
  })

  it.prop("byteLength counts the bytes of UTF-8", [FastCheck.string({ unit: "binary" })], ([text]) => {
    expect(Limits.byteLength(text)).toBe(Buffer.byteLength(text, "utf8"))
  })

  describe("json", () => {
    it.prop(
      "takes exactly what fits",
      [FastCheck.jsonValue({ stringUnit: "binary" }), FastCheck.nat(60)],
      ([value, limit]) => {
        const text = JSON.stringify(value)
        const result = Limits.json("metadata", value, limit)
        if (Buffer.byteLength(text, "utf8") <= limit) expect(result).toEqual(Either.right(text))
        else expect(Either.isLeft(result)).toBe(true)
      }
    )

    it("takes what fits to the byte", () => {
      expect(Limits.json("metadata", "é", 4)).toEqual(Either.right('"é"'))
    })

    it("P12 clear refusal: says which field, how much is allowed and how much it was", () => {
      expect(Either.flip(Limits.json("metadata", "é", 3)).pipe(Either.getOrThrow)).toMatchObject({
        _tag: "InvalidInput",
        field: "metadata",
        limit: "at most 3 bytes",
        actual: "4 bytes"
      })
    })
  })

  describe("decode", () => {
    const decode = Limits.decode(
      "message",
      Schema.Struct({ parts: Schema.Array(Schema.Struct({ text: Schema.String })) })
    )

    it("gives what the schema gives", () => {
      expect(decode({ parts: [{ text: "hi" }] })).toEqual(Either.right({ parts: [{ text: "hi" }] }))
    })

    it.each([
      [{ parts: [{ text: "hi" }, { text: 1 }] }, "message.parts.1.text"],
      [{ parts: [{}] }, "message.parts.0.text"],
      [{}, "message.parts"],
      [null, "message"]
    ])("P12 clear refusal: %j is refused by the path of the field", (input, field) => {
      expect(Either.flip(decode(input)).pipe(Either.getOrThrow)).toMatchObject({ _tag: "InvalidInput", field })
    })
  })
})

describe("what is said of a refused value", () => {
  const refusal = <A, I>(schema: Schema.Schema<A, I>, input: unknown) => {
    const { actual, field, limit } = Either.getOrThrow(Either.flip(Limits.decode("input", schema)(input)))
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
  ])("P12 %j is named by its kind and its place", (input, said) => {
    expect(refusal(fields, input)).toEqual(said)
  })

  it("P12 a long description of what is allowed is cut, one that fits is not", () => {
    const described = (length: number) =>
      Schema.String.pipe(Schema.filter(() => false, { description: "d".repeat(length) }))
    expect(refusal(described(200), "x")[1]).toBe("d".repeat(200))
    expect(refusal(described(201), "x")[1]).toBe(`${"d".repeat(199)}…`)
  })

  it("P12 what has no JSON is refused as such, and a title of one character is one", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    for (const value of [undefined, circular]) {
      expect(Either.getOrThrow(Either.flip(Limits.json("field", value, 100)))).toMatchObject({ actual: "no JSON" })
    }
    expect(Limits.title("a", limits)).toEqual(Either.right("a"))
  })

  it("P12 a refinement is named when its value is of the right kind, what is inside it when that is not", () => {
    const refined = Schema.Struct({ n: Schema.Number }).pipe(Schema.filter(() => false, { description: "a good one" }))
    expect(refusal(refined, { n: 1 })).toEqual(["input", "a good one", "a value of type object"])
    expect(refusal(refined, { n: "x" })).toEqual(["input.n", "a number", "a text of 1 characters"])
  })

  it("P12 a union is named as a whole, a transformation by what it is made from", () => {
    const union = Schema.Union(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String }))
    const [field, limit] = refusal(union.annotations({ description: "a or b" }), { a: 1 })
    expect([field, limit]).toEqual(["input", "a or b"])
    const made = Schema.transform(Schema.Struct({ at: Schema.Number }), Schema.Unknown, {
      decode: ({ at }) => at,
      encode: () => ({ at: 0 })
    })
    expect(refusal(made, { at: "x" })).toEqual(["input.at", "a number", "a text of 1 characters"])
  })

  it("P12 what is nested deeper than can be looked at is refused, not crashed on", () => {
    interface Nest {
      readonly inner?: Nest | undefined
    }
    const Nest: Schema.Schema<Nest> = Schema.Struct({ inner: Schema.optional(Schema.suspend(() => Nest)) })
    const deep = Array.from({ length: 200_000 }).reduce<Nest>((inner) => ({ inner }), {})
    expect(refusal(Nest, deep)).toEqual(["input", "nested less deeply", "nested too deeply"])
  })
})
