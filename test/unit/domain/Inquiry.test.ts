import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { Inquiry } from "skein"

const field = (name: string, kind: Inquiry.FieldKind, more: Partial<Inquiry.Field> = {}): Inquiry.Field => ({
  name,
  kind,
  title: name,
  isRequired: false,
  ...more
})

const options = [
  { value: "r", title: "Red" },
  { value: "g", title: "Green" }
]

const fields = [
  field("text", "text", { isRequired: true, most: 3 }),
  field("number", "number", { least: 0 }),
  field("integer", "integer"),
  field("boolean", "boolean"),
  field("choice", "choice", { options }),
  field("choices", "choices", { options, least: 1 })
]
const inquiry = { from: "files", text: "Which?", fields }

const refused = (values: Inquiry.Values) => Inquiry.valuesFlaw(inquiry, { text: "a", ...values })?.field ?? null

describe("an inquiry", () => {
  it("accepts values that fit its fields, and names the field that a wrong value does not fit", () => {
    const all = { number: 0.5, integer: -1, boolean: false, choice: "r", choices: ["g", "r"] }
    expect(refused(all)).toBe(null)
    expect(refused({})).toBe(null)
    expect(Inquiry.valuesFlaw(inquiry, {})).toMatchObject({ field: "values.text", limit: "something" })
    const wrong: ReadonlyArray<Inquiry.Values> = [
      { text: "four" },
      { text: 1 },
      { number: -1 },
      { number: "1" },
      { integer: 1.5 },
      { boolean: "true" },
      { choice: "Red" },
      { choices: [] },
      { choices: ["r", "r"] },
      { choices: ["x"] }
    ]
    expect(wrong.map(refused)).toEqual(wrong.map((values) => `values.${Object.keys(values)[0]}`))
    expect(refused({ toString: "x" })).toBe("values")
  })

  it("reads typed answers, and options by number, title or value", () => {
    const typed: ReadonlyArray<readonly [number, string, Inquiry.Value | null]> = [
      [0, "abc", "abc"],
      [0, "abcd", null],
      [1, " 2.5 ", 2.5],
      [1, "two", null],
      [2, "3", 3],
      [3, "yes", true],
      [3, "n", false],
      [3, "maybe", null],
      [4, "2", "g"],
      [4, "Red", "r"],
      [4, "3", null],
      [5, "1, g", ["r", "g"]],
      [5, "", null]
    ]
    for (const [index, text, value] of typed) {
      const asked = fields[index] ?? field("none", "text")
      expect([text, Either.getOrNull(Inquiry.read(asked, text))]).toEqual([text, value])
    }
  })

  it("must keep its limits, and link only to the web", () => {
    const flawOf = (more: Partial<Inquiry.Inquiry>) => Inquiry.flawOf({ ...inquiry, ...more })?.field ?? null
    expect(flawOf({ link: "https://example.com/a" })).toBe(null)
    expect(flawOf({ link: "javascript:alert(1)" })).toBe("link")
    expect(flawOf({ text: "x".repeat(5_000) })).toBe("text")
    expect(flawOf({ fields: Array.from({ length: 33 }, () => field("a", "text")) })).toBe("fields")
    const many = Array.from({ length: 129 }, () => ({ value: "a", title: "a" }))
    expect(flawOf({ fields: [field("a", "choice", { options: many })] })).toBe("field.options")
    expect(flawOf({ fields: [field("a", "text", { about: "\0" })] })).toBe("field.about")
    // Values that JSON would store as null.
    expect(flawOf({ fields: [field("a", "number", { least: -Infinity })] })).toBe("field.least")
    expect(flawOf({ fields: [field("a", "number", { most: NaN })] })).toBe("field.most")
    expect(flawOf({ fields: [field("a", "number", { initial: NaN })] })).toBe("field.initial")
  })
})
