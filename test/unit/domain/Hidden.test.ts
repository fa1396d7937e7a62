import { describe, expect, it } from "@effect/vitest"
import * as Hidden from "../../../src/domain/Hidden.js"

const shown = (text: string): string =>
  Hidden.replace(text, (character) => `<${(character.codePointAt(0) ?? 0).toString(16)}>`)

describe("Hidden", () => {
  it("tells what hides something from the rest, in order", () => {
    expect(Hidden.pieces("rm\u202e\u200bx\n")).toEqual([
      { text: "rm", hidden: false },
      { text: "\u202e", hidden: true },
      { text: "\u200b", hidden: true },
      { text: "x\n", hidden: false }
    ])
    expect(Hidden.pieces("e\u0301\ttext")).toEqual([{ text: "e\u0301\ttext", hidden: false }])
    expect(Hidden.pieces("\u0000")).toEqual([{ text: "\u0000", hidden: true }])
    expect(Hidden.pieces("")).toEqual([])
  })

  it("leaves joiners, tags and selectors where a script needs them, and nowhere else", () => {
    for (const text of ["می\u200cخواهم", "क्\u200dष", "👩🏽\u200d💻", "1\ufe0f\u20e3", "葛\u{e0100}城", "❤\ufe0f"]) {
      expect(shown(text)).toBe(text)
    }
    expect(shown("a\u200cb 日\u200d本 👩\u200d")).toBe("a<200c>b 日<200d>本 👩<200d>")
    expect(shown("a\ufe00 葛\ufe03 葛\ufe02\ufe02 1\ufe0f")).toBe("a<fe00> 葛<fe03> 葛\ufe02<fe02> 1<fe0f>")
    expect(shown("x\u{e0067}\u{e007f}")).toBe("x<e0067><e007f>")
  })

  it("finds surrogates without a partner, and marks that pile up or are on nothing", () => {
    expect(shown("a\ud83db\ude00😀")).toBe("a<d83d>b<de00>😀")
    expect(shown(`a${"\u0301".repeat(5)} \u0301`)).toBe(`a${"\u0301".repeat(4)}<301> <301>`)
  })
})
