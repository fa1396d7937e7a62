import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import * as Limits from "../../../src/domain/Limits.js"

describe("Limits", () => {
  it.prop("byteLength counts the bytes of UTF-8", [FastCheck.string({ unit: "binary" })], ([text]) => {
    expect(Limits.byteLength(text)).toBe(Buffer.byteLength(text, "utf8"))
  })

  describe("json", () => {
    it.prop(
      "takes a value if and only if its JSON fits",
      [FastCheck.jsonValue({ stringUnit: "binary" }), FastCheck.nat(60)],
      ([value, limit]) => {
        const text = JSON.stringify(value)
        const result = Limits.json("metadata", value, limit)
        if (Buffer.byteLength(text, "utf8") <= limit) expect(result).toEqual(Either.right(text))
        else expect(Either.isLeft(result)).toBe(true)
      }
    )

    it("takes a value whose JSON is exactly as long as the limit", () => {
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

  it("P12 a value without JSON is refused as such", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    for (const value of [undefined, circular]) {
      expect(Either.getOrThrow(Either.flip(Limits.json("field", value, 100)))).toMatchObject({ actual: "no JSON" })
    }
  })
})
