/** How an answer's JSON is extracted from what a model wrote, and how its schema is checked. */
import { describe, expect, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import * as fc from "effect/FastCheck"
import { Json } from "../../../src/domain/Json.js"
import * as Output from "../../../src/domain/Output.js"

const read = (answer: string) => Either.merge(Output.parse(answer))

describe("the JSON of an answer", () => {
  for (const [how, answer] of [
    ["as a whole", ' {"a": 1}\n'],
    ["after a byte order mark", '\uFEFF{"a": 1}'],
    ["in a code fence", '```json\n{"a": 1}\n```'],
    ["in a code fence with words around it", 'Here it is:\n```\n{"a": 1}\n```\nAs you asked: {good}.'],
    ["in the last code fence", '```json\n{"a": 0}\n```\nor rather\n```json\n{"a": 1}\n```'],
    ["after and before words", 'The answer is {"a": 1}, I think.'],
    ["with a field twice, the last of which counts", '{"a": 0, "a": 1}']
  ] as const) {
    it(`is read ${how}`, () => {
      expect(read(answer)).toEqual({ a: 1 })
    })
  }

  it("may contain a code fence and braces", () => {
    const value = { a: "```json\n{}\n``` } {" }
    expect(read(`\`\`\`json\n${JSON.stringify(value)}\n\`\`\``)).toEqual(value)
  })

  it("is not taken out of a list", () => {
    expect(read('[{"a": 1}]')).toEqual([{ a: 1 }])
  })

  for (const [what, answer, detail] of [
    ["no JSON", "I cannot say.", /^not JSON \(/u],
    ["NaN", '{"a": NaN}', /^not JSON \(/u],
    ["only half of it", '{"a": [1, 2', /^not JSON \(/u],
    ["nothing", " \n", /^the answer is empty$/u],
    ["a number that JSON cannot hold", '{"a": 1e999}', /^a: a number that JSON cannot hold$/u],
    ["an integer that would lose digits", '{"a": 12345678901234567890}', /^a: an integer beyond/u],
    ["too much of it", `{"a": [${"1,".repeat(20_000)}1]}`, /^more than 20000 values$/u],
    ["too much nesting", `{"a": ${"[".repeat(5_000)}${"]".repeat(5_000)}}`, /nested more than 100 deep$/u]
  ] as const) {
    it(`is refused where there is ${what}`, () => {
      expect(Output.parse(answer)).toEqual(Either.left(expect.stringMatching(detail)))
    })
  }

  it("is read whole, whatever words without braces or backticks surround it", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()).filter(Schema.is(Json)),
        fc.string().filter((text) => !/[{}`]/u.test(text)),
        (value, words) => {
          const exact: unknown = JSON.parse(JSON.stringify(value))
          expect(read(`${words}\n${JSON.stringify(value)}\n${words}`)).toEqual(exact)
        }
      )
    )
  })

  it("of megabytes is read, and a text of megabytes without JSON is refused", () => {
    const long = "x".repeat(4 * 1024 * 1024)
    expect(read(JSON.stringify({ long }))).toEqual({ long })
    expect(Either.isLeft(Output.parse(`{${long}`))).toBe(true)
    expect(Either.isLeft(Output.parse("```\n".repeat(1024 * 1024)))).toBe(true)
  })
})

describe("what a model is told about an answer that does not match the form", () => {
  it("quotes the answer's beginning without splitting a character, and says what is wrong", () => {
    const told = Output.again("😀".repeat(300), "a: is missing")
    expect(told).toContain(`\n${"😀".repeat(200)}…\n`)
    expect(told).toContain("\na: is missing\n")
    expect(Output.again("short", "x")).toContain("\nshort\n")
  })
})

describe("the schema of an answer", () => {
  it("must describe an object, and is reduced to what all providers accept", () => {
    const schema = { $schema: "x", anyOf: [{ type: "object", properties: { a: { type: "string" } }, required: ["a"] }] }
    expect(Output.read(schema)).toEqual(
      Either.right({ type: "object", properties: { a: { type: "string" } }, required: ["a"] })
    )
    expect(Either.flip(Output.read({ type: "string" }))).toMatchObject({
      right: { field: "output", limit: "an object" }
    })
  })

  it("is the same in whatever order its fields come", () => {
    expect(Output.isSame({ a: 1, b: { c: 1, d: 2 } }, { b: { d: 2, c: 1 }, a: 1 })).toBe(true)
    expect(Output.isSame({ a: 1 }, { a: 2 })).toBe(false)
  })

  it("is read without expanding its references exponentially", () => {
    const part = (next: number) => ({ allOf: Array.from({ length: 8 }, () => ({ $ref: `#/$defs/d${next}` })) })
    const $defs = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`d${n}`, part(n + 1)]))
    const last = { type: "object", properties: { a: {} } }
    expect(Either.isRight(Output.read({ ...part(0), $defs: { ...$defs, d9: last } }))).toBe(true)
  })
})
