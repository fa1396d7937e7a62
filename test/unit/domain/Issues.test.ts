import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck, Schema } from "effect"
import * as Issues from "../../../src/domain/Issues.js"

const lines = <A, I>(schema: Schema.Schema<A, I>, value: unknown): string =>
  Either.match(Schema.decodeUnknownEither(schema, { errors: "all" })(value), {
    onLeft: Issues.format,
    onRight: () => "valid"
  })

/** What is said about a field. */
const said = <A, I>(schema: Schema.Schema<A, I>, value: unknown) => lines(Schema.Struct({ f: schema }), { f: value })

describe("Issues", () => {
  it("writes one line per issue: where it is, what is allowed and what was given", () => {
    const schema = Schema.Struct({
      offset: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1 }),
      path: Schema.String,
      edits: Schema.Array(Schema.Struct({ old: Schema.String.pipe(Schema.minLength(1)) })),
      all: Schema.optional(Schema.Boolean)
    })
    expect(lines(schema, { offset: null, edits: [{ old: "a" }, { old: "" }, {}], all: "yes" }).split("\n")).toEqual([
      "offset: expected an integer from 1, got null",
      "path: is missing, expected a text",
      'edits.1.old: expected a text that is not empty, got ""',
      "edits.2.old: is missing, expected a text that is not empty",
      'all: expected true or false, got "yes"'
    ])
    expect(lines(schema, [])).toBe("expected an object, got a list")
  })

  it("says what is allowed in words", () => {
    expect(said(Schema.Int.pipe(Schema.between(1, 2000)), 0)).toBe("f: expected an integer from 1 to 2000, got 0")
    expect(said(Schema.Int.pipe(Schema.lessThan(3)), 3.5)).toBe("f: expected an integer up to 2, got 3.5")
    expect(said(Schema.Number.pipe(Schema.greaterThan(0)), 0)).toBe("f: expected a number above 0, got 0")
    expect(said(Schema.Literal("a", "b", 1), "c")).toBe('f: expected "a", "b" or 1, got "c"')
    expect(said(Schema.String.pipe(Schema.pattern(/^a+$/)), "b")).toBe('f: expected a text that matches ^a+$, got "b"')
    expect(said(Schema.Array(Schema.String).pipe(Schema.maxItems(1)), ["a", "b"])).toBe(
      "f: expected a list of at most 1 elements, got a list"
    )
    expect(said(Schema.NullOr(Schema.String), 1)).toBe("f: expected a text or null, got 1")
    expect(said(Schema.Union(Schema.String, Schema.Array(Schema.String)), 1)).toBe(
      "f: expected a text or a list, got 1"
    )
    expect(said(Schema.Union(Schema.String, Schema.Array(Schema.String)), [1])).toBe("f.0: expected a text, got 1")
    expect(said(Schema.NumberFromString, "x")).toMatch(/^f: .*"x"/)
    expect(said(Schema.String.pipe(Schema.filter(() => "must be a name")), "x")).toBe("f: must be a name")
    expect(said(Schema.String.annotations({ message: () => "say a name" }), 1)).toBe("f: say a name")
  })

  it("describes an issue in a tagged union within the member that the tag selects", () => {
    const schema = Schema.Union(
      Schema.Struct({ kind: Schema.Literal("a"), x: Schema.Int }),
      Schema.Struct({ kind: Schema.Literal("b"), y: Schema.Int })
    )
    expect(said(schema, { kind: "b", y: "1" })).toBe('f.y: expected an integer, got "1"')
  })

  it("describes what is wrong with a text of JSON, or with the values in it", () => {
    const schema = Schema.parseJson(Schema.Array(Schema.Struct({ a: Schema.Int })))
    expect(lines(schema, "[x")).toMatch(/^Unexpected token .*x/)
    expect(lines(schema, '{"a":1}')).toBe("expected a list, got an object")
    expect(lines(schema, '[{"a":1},{"a":"1"},{}]')).toBe(
      '1.a: expected an integer, got "1"\n2.a: is missing, expected an integer'
    )
  })

  it("shows at most forty characters of a given value, and at most twenty issues", () => {
    expect(said(Schema.Int, "x".repeat(1_000_000))).toBe(`f: expected an integer, got "${"x".repeat(40)}…"`)
    const many = lines(
      Schema.Array(Schema.Int),
      Array.from({ length: 50 }, () => "x")
    ).split("\n")
    expect(many).toHaveLength(21)
    expect(many.at(-1)).toBe("and 30 more")
  })

  it.prop("no line shows a schema's tree, whatever was given", [FastCheck.jsonValue()], ([value]) => {
    const schema = Schema.Struct({
      a: Schema.optional(Schema.Union(Schema.String, Schema.Struct({ b: Schema.Int }))),
      c: Schema.NonEmptyArray(Schema.Literal(1, 2))
    })
    expect(lines(schema, value)).not.toMatch(/[└├│]|readonly|\n\n/)
  })
})
