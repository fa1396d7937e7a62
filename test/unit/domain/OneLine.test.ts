import { describe, expect, it, vi } from "@effect/vitest"
import { FastCheck } from "effect"
import * as OneLine from "../../../src/domain/OneLine.js"

const texts = FastCheck.string({
  unit: FastCheck.constantFrom("a", "b", "é", "😀", " ", "\t", "\n", "\r", "\u00a0", "\u2028", "\u3000"),
  maxLength: 60
})
const limits = FastCheck.integer({ min: 1, max: 40 })
const length = (text: string) => Array.from(text).length

describe("OneLine", () => {
  describe("fold", () => {
    it.prop("leaves single blanks between words and no other white space", [texts], ([text]) => {
      const folded = OneLine.fold(text)
      expect(folded).toBe(
        text
          .split(/\s+/u)
          .filter((word) => word !== "")
          .join(" ")
      )
      expect(OneLine.fold(folded)).toBe(folded)
    })
  })

  describe("first", () => {
    it.prop("is folded, not empty, within the limit", [texts, limits], ([text, limit]) => {
      const first = OneLine.first(text, limit)
      if (first === null) return
      expect(OneLine.fold(first)).toBe(first)
      expect(first).not.toBe("")
      expect(length(first)).toBeLessThanOrEqual(limit)
    })

    it.prop(
      "cuts a long line to its beginning with a mark, and keeps a short one whole",
      [texts, limits],
      ([text, limit]) => {
        const first = OneLine.first(text, limit)
        const line = text
          .split(/[\n\r\u2028]/u)
          .map(OneLine.fold)
          .find((line) => line !== "")
        if (line === undefined) expect(first).toBeNull()
        else if (length(line) <= limit) expect(first).toBe(line)
        else expect(first !== null && first.endsWith("…") && line.startsWith(first.slice(0, -1))).toBe(true)
      }
    )

    it.prop(
      "cuts a long line as if all of it were folded first",
      [
        FastCheck.array(FastCheck.constantFrom("a", "  ", "\t", "\u200B", "😀", "\uD83D", "\r\n", "word"), {
          maxLength: 200
        }),
        limits
      ],
      ([pieces, limit]) => {
        const text = pieces.join("")
        const line = text
          .split(/\r\n|[\n\r\u2028\u2029]/u)
          .map(OneLine.fold)
          .find((line) => line !== "")
        const points = Array.from(line ?? "")
        const cut = `${points
          .slice(0, limit - 1)
          .join("")
          .trimEnd()}…`
        expect(OneLine.first(text, limit) ?? undefined).toBe(points.length <= limit ? line : cut)
      }
    )

    it("folds no more of a long line than is needed", () => {
      const from = vi.spyOn(Array, "from")
      OneLine.first("word ".repeat(100_000), 200)
      const folded = from.mock.calls.map(([text]) => (typeof text === "string" ? text.length : -1))
      from.mockRestore()
      expect(folded).toEqual([799])
    })

    it.each([
      ["fix the\ttests\nplease", 50, "fix the tests"],
      ["\n \r\n  second  line \r\nthird", 50, "second line"],
      ["abcdef", 6, "abcdef"],
      ["abcdefg", 6, "abcde…"],
      ["abcd efg", 6, "abcd…"],
      ["😀😀😀", 2, "😀…"],
      ["", 50, null],
      [" \n\t", 50, null]
    ])("%j cut to %i is %j", (text, limit, first) => {
      expect(OneLine.first(text, limit)).toBe(first)
    })
  })

  describe("opening", () => {
    it.each([
      ["one\ntwo", 50, "one…"],
      ["\n one \r\n\n two", 50, "one…"],
      ["one\u2028two", 50, "one…"],
      ["one\n \n\t", 50, "one"],
      ["\n\none", 50, "one"],
      ["one…\ntwo", 50, "one…"],
      ["three\ntwo", 5, "thre…"],
      ["three", 5, "three"],
      ["\n \t", 50, null]
    ])("of %j cut to %i is %j", (text, limit, opening) => {
      expect(OneLine.opening(text, limit)).toBe(opening)
    })
  })
})
