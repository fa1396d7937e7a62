import { expect, it } from "@effect/vitest"
import { FastCheck, Predicate } from "effect"
import * as JsonValues from "../../../../src/adapters/http/JsonValues.js"

/** What is in each array and object; an empty one counts as one with a value. */
const countOf = (value: unknown): number => {
  if (!Array.isArray(value) && !Predicate.isReadonlyRecord(value)) return 0
  const inner: ReadonlyArray<unknown> = Array.isArray(value) ? value : Object.values(value)
  return inner.reduce<number>((sum, one) => sum + countOf(one), Math.max(1, inner.length))
}

it("values are counted in whatever pieces the text comes, and nothing in a text is one", () => {
  FastCheck.assert(
    FastCheck.property(FastCheck.jsonValue(), FastCheck.integer({ min: 1, max: 7 }), (value, length) => {
      const texts = { value, '"\\': '[{,"\\' }
      const bytes = new TextEncoder().encode(JSON.stringify(texts))
      const count = JsonValues.counter()
      let counted = 0
      for (let from = 0; from < bytes.length; from += length) counted = count(bytes.subarray(from, from + length))
      expect(counted).toBe(countOf(texts))
    })
  )
})
