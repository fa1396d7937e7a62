import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as JsonText from "../../../../src/adapters/cli/JsonText.js"

const error = (text: string) => {
  const place = JsonText.placeOfError(text)
  return place === null ? null : [place.line, place.column]
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe("JsonText", () => {
  it("finds the first error of the syntax", () => {
    expect(error("")).toEqual([1, 1])
    expect(error("{\n  // a comment\n}")).toEqual([2, 3])
    expect(error('{\n  "a": 1,\n}')).toEqual([3, 1])
    expect(error('{ "a": sk-key }')).toEqual([1, 8])
    expect(error('{ "ä🧶": 1 "b": 2 }')).toEqual([1, 11])
    expect(error('{ "a": "x\ny" }')).toEqual([1, 10])
    expect(error('{ "a": [1, 2 }')).toEqual([1, 14])
    expect(error("{} {}")).toEqual([1, 4])
    expect(error('{\r\n"a": 01}')).toEqual([2, 7])
  })

  it("finds an error in exactly the texts that JSON.parse refuses", () => {
    const parts = FastCheck.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "1",
      "-",
      "true",
      " ",
      "\n",
      "\\u12",
      "e5"
    )
    const text = FastCheck.oneof(
      FastCheck.array(parts, { maxLength: 12 }).map((parts) => parts.join("")),
      FastCheck.jsonValue().map((value) => JSON.stringify(value, null, 1))
    )
    FastCheck.assert(
      FastCheck.property(text, (text) => (JsonText.scan(text).error === null) === isJson(text)),
      { numRuns: 2000 }
    )
  })

  it("finds a value by its path, or what is around it", () => {
    const text = '{\n  "a": { "b": [10,\n 20] },\n  "a": { "c": null }\n}'
    expect(JsonText.placeOf(text, ["a", "b", 1])).toEqual({ line: 3, column: 2 })
    expect(JsonText.placeOf(text, ["a", "c"])).toEqual({ line: 4, column: 10 })
    expect(JsonText.placeOf(text, ["a", "missing", "x"])).toEqual({ line: 4, column: 3 })
    expect(JsonText.placeOf(text, ["z"])).toEqual({ line: 1, column: 1 })
  })

  it("survives any depth", () => {
    expect(() => JsonText.scan("[".repeat(1_000_000))).not.toThrow()
  })
})
