import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import * as Limits from "../../../src/domain/Limits.js"
import { userText } from "../../../src/domain/Message.js"
import * as Title from "../../../src/domain/Title.js"

const limited: Limits.Limits = { ...Limits.defaults, titleCharacters: 5 }

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

  it.each([
    ["hello", "hello"],
    ["hello there", "hell…"],
    [" \n", null]
  ])("a message of %j gives the title %j", (text, title) => {
    expect(Title.ofMessage(userText(text), limited)).toBe(title)
  })
})
