import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import * as Limits from "../../../src/domain/Limits.js"
import { userText } from "../../../src/domain/Message.js"
import * as Title from "../../../src/domain/Title.js"

const limited: Limits.Limits = { ...Limits.defaults, titleCharacters: 5 }

const texts = FastCheck.string({
  unit: FastCheck.constantFrom("a", "b", "é", "😀", " ", "\t", "\n", "\r", "\u00a0", "\u2028", "\u3000"),
  maxLength: 60
})
const limits = FastCheck.integer({ min: 1, max: 40 })
const length = (text: string) => Array.from(text).length

describe("Title", () => {
  describe("check", () => {
    it.each([
      ["abc", "abc"],
      ["  a \n b ", "a b"],
      ["12345", "12345"],
      ["😀😀😀😀😀", "😀😀😀😀😀"]
    ])("takes %j as %j", (input, title) => {
      expect(Title.check(input, limited)).toEqual(Either.right(title))
    })

    it.each([
      ["", "0"],
      [" \n\t", "0"],
      ["123456", "6"]
    ])("P12 clear refusal: refuses %j, naming the field, the limit and its %s characters", (input, actual) => {
      expect(Either.flip(Title.check(input, limited)).pipe(Either.getOrThrow)).toMatchObject({
        _tag: "InvalidInput",
        field: "title",
        limit: "1 to 5 characters",
        actual
      })
    })
  })

  describe("fold", () => {
    it.prop("leaves single blanks between words and nothing else of the white space", [texts], ([text]) => {
      const folded = Title.fold(text)
      expect(folded).toBe(
        text
          .split(/\s+/u)
          .filter((word) => word !== "")
          .join(" ")
      )
      expect(Title.fold(folded)).toBe(folded)
    })
  })

  describe("ofText", () => {
    it.prop("is a title: folded, of one line, not empty, within the limit", [texts, limits], ([text, limit]) => {
      const title = Title.ofText(text, limit)
      expect(Title.fold(title)).toBe(title)
      expect(title).not.toBe("")
      if (title !== Title.untitled) expect(length(title)).toBeLessThanOrEqual(limit)
    })

    it.prop(
      "a cut title is the line's beginning with a mark; a short line stays whole",
      [texts, limits],
      ([text, limit]) => {
        const title = Title.ofText(text, limit)
        const line = text
          .split(/[\n\r\u2028]/u)
          .map(Title.fold)
          .find((line) => line !== "")
        if (line === undefined) expect(title).toBe(Title.untitled)
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
      expect(Title.ofText(text, limit)).toBe(title)
    })
  })

  it.each([
    ["hello", "hello"],
    ["hello there", "hell…"],
    [" \n", null]
  ])("a message of %j gives the title %j", (text, title) => {
    expect(Title.ofMessage(userText(text), limited)).toBe(title)
  })
})
