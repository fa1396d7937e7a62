import { describe, expect, it, vi } from "@effect/vitest"
import { Either, FastCheck, JSONSchema, Schema } from "effect"
import * as InputSchema from "../../../src/domain/InputSchema.js"
import { complaintsOfSchema } from "../../support/verdicts/providerRules.js"

const made = (schema: unknown): InputSchema.InputSchema =>
  Either.getOrThrowWith(InputSchema.portable(schema), ({ actual, limit }) => new Error(`${limit}: ${actual}`))

const flaw = (schema: unknown) => Either.getOrNull(Either.flip(InputSchema.portable(schema)))

const ofEffect = (x: Schema.Schema.AnyNoContext) =>
  made(JSONSchema.make(Schema.Struct({ x }), { target: "jsonSchema2020-12" }))

interface Tree {
  readonly name: string
  readonly inner: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  name: Schema.String,
  inner: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "My Tree/1" })

describe("InputSchema", () => {
  for (const [name, schema] of Object.entries({
    tuple: Schema.Tuple(Schema.Number, Schema.String),
    rest: Schema.Tuple([Schema.Number], Schema.String),
    map: Schema.Map({ key: Schema.String, value: Schema.Number }),
    duration: Schema.Duration,
    object: Schema.Object,
    unknown: Schema.Struct({ a: Schema.Unknown, b: Schema.Unknown, c: Schema.Any }),
    empty: Schema.Struct({}),
    record: Schema.Record({ key: Schema.String, value: Schema.Number }),
    union: Schema.Union(Schema.Struct({ k: Schema.Literal("a") }), Schema.Struct({ k: Schema.Literal("b") })),
    tree: Tree,
    date: Schema.Date,
    bigint: Schema.BigInt
  })) {
    it(`turns Effect's ${name} into a schema that providers accept`, () => {
      expect(complaintsOfSchema(ofEffect(schema))).toEqual([])
    })
  }

  it("translates the keywords of older drafts to those of 2020-12", () => {
    expect(
      made({
        $schema: "http://json-schema.org/draft-07/schema#",
        $id: "https://x/y",
        type: "object",
        properties: {
          pair: { type: "array", items: [{ type: "string" }, { type: "number" }], additionalItems: false },
          list: { type: "array", items: [] },
          any: { type: "array" },
          small: {
            type: "number",
            maximum: 5,
            exclusiveMaximum: true,
            minimum: 1,
            exclusiveMinimum: false,
            required: true
          }
        },
        required: ["pair", "pair"]
      })
    ).toEqual({
      type: "object",
      properties: {
        pair: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], items: false },
        list: { type: "array", items: {} },
        any: { type: "array", items: {} },
        small: { type: "number", exclusiveMaximum: 5, minimum: 1 }
      },
      required: ["pair"]
    })
  })

  it("describes an empty object when the schema names no fields", () => {
    for (const schema of [{}, { type: "object" }, { type: ["object", "null"] }, { properties: {} }]) {
      expect(made(schema)).toEqual({ type: "object", properties: {} })
    }
  })

  it("follows a reference at the top", () => {
    const $defs = {
      In: { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false }
    }
    expect(made({ $ref: "#/$defs/In", $defs })).toEqual({
      $defs,
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: false
    })
  })

  it("merges the cases of a choice at the top, and requires the fields that all of them require", () => {
    const text = { type: "string" }
    const schema = {
      anyOf: [
        { type: "object", properties: { kind: { const: "a" }, path: text }, required: ["kind", "path"] },
        { type: "object", properties: { kind: { const: "b" }, path: text }, required: ["kind"] }
      ]
    }
    expect(made(schema)).toEqual({
      type: "object",
      properties: { kind: { anyOf: [{ const: "a" }, { const: "b" }] }, path: text },
      required: ["kind"]
    })
    expect(made({ allOf: [...schema.anyOf, { required: ["path"] }] })).toMatchObject({
      properties: { kind: { const: "b" }, path: text },
      required: ["kind", "path"]
    })
    expect(complaintsOfSchema(made({ ...schema, not: {}, if: {}, else: {} }))).toEqual([])
  })

  it("merges thousands of cases into one flat list of what differs, as fast as they are read", () => {
    const kinds = [{ title: "x".repeat(15_000) }, { title: "y".repeat(15_000) }]
    const $defs = { x: { properties: { a: kinds[0] } }, y: { properties: { a: kinds[1] } } }
    const referring = Array.from({ length: 3_000 }, (_, n) => ({ $ref: `#/$defs/${n % 2 === 0 ? "x" : "y"}` }))
    expect(made({ type: "object", $defs, anyOf: referring }).properties).toEqual({ a: { anyOf: kinds } })
    const small = Array.from({ length: 3_000 }, (_, n) => ({ properties: { a: [true, {}, { title: "z" }][n % 3] } }))
    expect(made({ type: "object", anyOf: small }).properties).toEqual({ a: { anyOf: [true, {}, { title: "z" }] } })
    expect(made({ anyOf: [{ anyOf: small.slice(0, 2) }, ...small.slice(1, 3)] })).toEqual({
      type: "object",
      properties: { a: { anyOf: [true, {}, { title: "z" }] } }
    })
  })

  it("writes the text of a schema once, however many cases refer to it", () => {
    const $defs = { x: { properties: { a: { title: "x" } } }, y: { properties: { a: { title: "y" } } } }
    const texts = (count: number) => {
      const anyOf = Array.from({ length: count }, (_, n) => ({ required: ["b"], $ref: `#/$defs/${n % 2 ? "x" : "y"}` }))
      const stringify = vi.spyOn(JSON, "stringify")
      made({ $defs, anyOf })
      const calls = stringify.mock.calls.length
      stringify.mockRestore()
      return calls
    }
    expect(texts(500)).toBe(texts(5))
  })

  const wide = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`a${n}`, true]))

  it("keeps a field whose name every object has", () => {
    const properties = JSON.parse('{"constructor":{"type":"string"},"__proto__":{"type":"number"}}')
    expect(JSON.stringify(made({ type: "object", properties }).properties)).toBe(JSON.stringify(properties))
  })

  const circular: Record<string, unknown> = { type: "object" }
  circular.self = circular
  it.each([
    ["an object", { type: "string" }],
    ["an object", { anyOf: [{ type: "object" }, { type: "string" }] }],
    ["a JSON Schema of an object", true],
    ["an object with fields", { enum: [{}] }],
    ["a JSON Schema of an object", ["object"]],
    ["a JSON Schema of an object", null],
    ["JSON", circular],
    ["JSON", undefined],
    ["a type of JSON Schema at properties.a.type", { properties: { a: { type: "text" } } }],
    ["a list of schemas at properties.a.anyOf", { properties: { a: { anyOf: [] } } }],
    ["schemas by name at properties", { properties: [] }],
    ["a schema at properties.a", { properties: { a: "string" } }],
    ["a list of values at properties.a.enum", { properties: { a: { enum: "x" } } }],
    ["a list of names at required", { required: "a" }],
    ["references to what the schema holds", { properties: { a: { $ref: "#/$defs/none" } } }],
    ["references to what the schema holds", { properties: { a: { $ref: "https://elsewhere/x" } } }],
    ["references that end", { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }],
    ["fields with names of 1 to 64 of A-Z a-z 0-9 _ . -", { properties: { "a b": {} } }],
    [
      "at most 20000 fields in all cases of a choice",
      {
        $defs: { wide: { properties: wide } },
        anyOf: Array.from({ length: 300 }, () => ({ required: ["a"], $ref: "#/$defs/wide" }))
      }
    ],
    ["at most 20000 values, 400 deep", { enum: Array.from({ length: 20_001 }, () => 1) }],
    ["at most 20000 values, 400 deep", { default: Array.from({ length: 500 }).reduce((inner) => [inner], 1) }],
    [
      "schemas at most 100 deep",
      { properties: Array.from({ length: 120 }).reduce((inner) => ({ a: { properties: inner } }), {}) }
    ]
  ])("refuses a schema that cannot be repaired, with the limit: %s", (limit, schema) => {
    expect(flaw(schema)?.limit).toBe(limit)
  })

  it.prop(
    "refuses any JSON or makes it a schema that providers accept and a second pass keeps",
    [FastCheck.jsonValue()],
    ([value]) => {
      for (const schema of [value, { properties: { a: value } }, { anyOf: [value, { type: "object" }] }]) {
        const first = Either.getOrNull(InputSchema.portable(schema))
        if (first === null) continue
        expect(complaintsOfSchema(first)).toEqual([])
        expect(made(first)).toEqual(first)
      }
    }
  )
})
