import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as ResultText from "../../../src/domain/ResultText.js"

const units = FastCheck.constantFrom("a", "é", "😀", "\ud83d", "\ude00", "\n")
const texts = FastCheck.string({ unit: units, maxLength: 60 })
const limits = FastCheck.nat(40)
const points = (text: string) => Array.from(text)

describe("bound", () => {
  it.prop("leaves a text that fits alone", [texts], ([text]) => {
    expect(ResultText.bound(text, points(text).length)).toEqual({ text, missing: 0 })
  })

  it.prop(
    "keeps as many characters of both ends as the limit allows, and says how many are missing",
    [texts, limits],
    ([text, limit]) => {
      const all = points(text)
      FastCheck.pre(all.length > limit)
      const head = Math.ceil(limit * 0.8)
      const bounded = ResultText.bound(text, limit)
      expect(bounded.missing).toBe(all.length - limit)
      expect(bounded.text).toBe(
        `${all.slice(0, head).join("")}\n[… ${all.length - limit} characters left out here …]\n${all.slice(all.length - (limit - head)).join("")}`
      )
    }
  )

  it("never splits a surrogate pair", () => {
    expect(ResultText.bound("😀".repeat(10), 5).text).toBe("😀😀😀😀\n[… 5 characters left out here …]\n😀")
  })

  it("counts a surrogate pair as one character", () => {
    expect(ResultText.bound("😀".repeat(5), 5).missing).toBe(0)
  })
})

describe("withAsset", () => {
  it("names the asset that has the whole text", () => {
    expect(ResultText.withAsset("cut", "ast_1")).toBe("cut\n[The whole text is kept as asset ast_1.]")
  })
})
