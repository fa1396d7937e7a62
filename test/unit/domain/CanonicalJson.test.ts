import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, FastCheck, Predicate } from "effect"
import * as CanonicalJson from "../../../src/domain/CanonicalJson.js"

/** The same value with the fields of its objects in the opposite order. */
const reversed = (value: unknown): unknown =>
  Arr.isArray(value)
    ? value.map(reversed)
    : Predicate.isReadonlyRecord(value)
      ? Object.fromEntries(Arr.reverse(Object.entries(value)).map(([key, field]) => [key, reversed(field)]))
      : value

describe("CanonicalJson", () => {
  it.prop(
    "is JSON of the value, whatever the order of the fields",
    [FastCheck.array(FastCheck.jsonValue())],
    ([value]) => {
      expect(JSON.parse(CanonicalJson.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)))
      expect(CanonicalJson.stringify(Arr.map(value, reversed))).toBe(CanonicalJson.stringify(value))
    }
  )

  it("comes in bounded pieces that join to the text of the list", () => {
    for (const count of [0, 1, 99, 100, 101, 350]) {
      const list = Array.from({ length: count }, (_, n) => ({ n, a: ["x", n] }))
      const pieces = Array.from(CanonicalJson.pieces(list))
      expect(pieces.join("")).toBe(CanonicalJson.stringify(list))
      expect(pieces).toHaveLength(Math.ceil(count / 100) + 1)
    }
  })

  it("sorts the fields of each object by their code units, and keeps the order of arrays", () => {
    expect(CanonicalJson.stringify([{ é: 1, b: [{ z: null, a: 2 }, 1], Z: undefined, B: "x" }, null])).toBe(
      '[{"B":"x","b":[{"a":2,"z":null},1],"é":1},null]'
    )
  })
})
