import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Schema } from "effect"
import { Json, JsonRecord } from "../../../src/domain/Json.js"
import * as Refusal from "../../../src/domain/Refusal.js"

/** A value nested `depth` levels deep in arrays or objects. */
const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown =>
  Array.from({ length: depth }).reduce<unknown>(wrap, 0)

const inArrays = (depth: number) => nested(depth, (inner) => [1, inner])
const inObjects = (depth: number) => nested(depth, (inner) => ({ a: 1, b: inner }))

const forbidden: unknown = JSON.parse('{ "a": 1, "__proto__": {} }')

const refused: ReadonlyArray<unknown> = [
  undefined,
  NaN,
  Infinity,
  1n,
  Symbol("s"),
  () => 1,
  [1, undefined],
  [undefined, 1],
  { a: 1, b: undefined },
  { a: undefined, b: 1 },
  { a: [{ b: NaN }] },
  inArrays(101),
  inObjects(101),
  forbidden,
  [forbidden]
]

describe("Json", () => {
  it.prop("takes any JSON value without a key __proto__", [FastCheck.jsonValue({ maxDepth: 5 })], ([value]) => {
    FastCheck.pre(!JSON.stringify(value).includes("__proto__"))
    expect(Schema.decodeUnknownSync(Json)(value)).toBe(value)
    expect(Schema.is(JsonRecord)({ value })).toBe(true)
  })

  it.prop("its generated examples are JSON", [Arbitrary.make(Json), Arbitrary.make(JsonRecord)], ([value, record]) => {
    expect(Schema.is(Json)(value)).toBe(true)
    expect(Schema.is(JsonRecord)(record)).toBe(true)
  })

  it.each([null, true, false, "", "text", 0, -1.5, [], {}])("takes %j", (value) => {
    expect(Schema.is(Json)(value)).toBe(true)
  })

  it("takes values up to 100 deep", () => {
    for (const value of [inArrays(100), inObjects(100)]) expect(Schema.is(Json)(value)).toBe(true)
  })

  it.each(refused.map((value, index) => [index, value] as const))(
    "refuses a value that is not JSON, too deep or has a key __proto__ (%i)",
    (_, value) => {
      expect(Schema.is(Json)(value)).toBe(false)
      expect(Schema.is(JsonRecord)({ value })).toBe(false)
    }
  )
})

describe("JsonRecord", () => {
  it.each([null, undefined, 1, "text", [], [1]])("refuses a value that is not an object (%j)", (value) => {
    const refusal = Refusal.decoder(JsonRecord, "metadata")(value)
    expect(Either.getLeft(refusal)).toMatchObject({
      value: { field: "metadata", limit: "a JSON object at most 100 deep, without a key __proto__" }
    })
    expect(Either.isLeft(Schema.encodeUnknownEither(JsonRecord)(value))).toBe(true)
  })

  it.each([
    ["b", { a: 1, b: undefined, c: NaN }],
    ["deep", { a: {}, deep: inArrays(100) }],
    ["__proto__", forbidden]
  ])("names the field at fault (%s)", (field, value) => {
    expect(Either.getLeft(Refusal.decoder(JsonRecord, "metadata")(value))).toMatchObject({
      value: { field: `metadata.${field}`, limit: "JSON at most 100 deep, without a key __proto__" }
    })
  })

  it("decodes and encodes to the very same object", () => {
    const value = { a: [1, { b: null }] }
    expect(Schema.decodeUnknownSync(JsonRecord)(value)).toBe(value)
    expect(Schema.encodeUnknownSync(JsonRecord)(value)).toBe(value)
    expect(Schema.is(JsonRecord)({ deep: inArrays(99) })).toBe(true)
  })
})
