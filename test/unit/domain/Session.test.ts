import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Option, Schema } from "effect"
import * as Session from "../../../src/domain/Session.js"

const texts = FastCheck.string({
  unit: FastCheck.constantFrom("a", "b", "é", "😀", " ", "\t", "\n", "\r", "\u00a0", "\u2028", "\u3000"),
  maxLength: 60
})
const limits = FastCheck.integer({ min: 1, max: 40 })
const length = (text: string) => Array.from(text).length

describe("Session", () => {
  it.each(["a", "A-b_9", "0", "x".repeat(64)])("takes %j as an id", (id) => {
    expect(Option.isSome(Schema.decodeOption(Session.SessionId)(id))).toBe(true)
  })

  it.each(["", "-a", "_a", ".", "..", "a/b", "a\\b", "a.b", "a b", "a\n", "é", "x".repeat(65)])(
    "P12 clear refusal: does not take %j as an id",
    (id) => {
      expect(Option.isNone(Schema.decodeOption(Session.SessionId)(id))).toBe(true)
    }
  )

  describe("foldTitle", () => {
    it.prop("leaves single blanks between words and nothing else of the white space", [texts], ([text]) => {
      const folded = Session.foldTitle(text)
      expect(folded).toBe(
        text
          .split(/\s+/u)
          .filter((word) => word !== "")
          .join(" ")
      )
      expect(Session.foldTitle(folded)).toBe(folded)
    })
  })

  describe("titleOfText", () => {
    it.prop("is a title: folded, of one line, not empty, within the limit", [texts, limits], ([text, limit]) => {
      const title = Session.titleOfText(text, limit)
      expect(Session.foldTitle(title)).toBe(title)
      expect(title).not.toBe("")
      if (title !== Session.untitled) expect(length(title)).toBeLessThanOrEqual(limit)
    })

    it.prop(
      "a cut title is the line's beginning with a mark; a short line stays whole",
      [texts, limits],
      ([text, limit]) => {
        const title = Session.titleOfText(text, limit)
        const line = text
          .split(/[\n\r\u2028]/u)
          .map(Session.foldTitle)
          .find((line) => line !== "")
        if (line === undefined) expect(title).toBe(Session.untitled)
        else if (length(line) <= limit) expect(title).toBe(line)
        else expect(title.endsWith("…") && line.startsWith(title.slice(0, -1))).toBe(true)
      }
    )

    it.each([
      ["fix the\ttests\nplease", 50, "fix the tests"],
      ["\n \r\n  second  line \r\nthird", 50, "second line"],
      ["abcdef", 6, "abcdef"],
      ["abcdefg", 6, "abcde…"],
      ["abcd efg", 6, "abcd…"],
      ["😀😀😀", 2, "😀…"],
      ["", 50, "New session"],
      [" \n\t", 50, "New session"]
    ])("%j cut to %i is %j", (text, limit, title) => {
      expect(Session.titleOfText(text, limit)).toBe(title)
    })
  })
})
