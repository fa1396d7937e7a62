import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Columns from "../../../../../src/adapters/cli/terminal/Columns.js"
import * as TerminalText from "../../../../../src/adapters/cli/terminal/TerminalText.js"

const special = FastCheck.constantFrom(
  "\x1b[2J",
  "\x1b]52;c;aGk=\x07",
  "\x1b]8;;http://evil.test\x1b\\",
  "\x9b31m",
  "\x90q",
  "\r",
  "\r\n",
  "\n",
  "\t",
  "\0",
  "\x07",
  "\x7f",
  "\u202e",
  "\u2066",
  "\u2028",
  "\u200b",
  "\ufeff",
  "\u{e0041}",
  "\u00ad",
  "\u034f",
  "\u115f",
  "\u3164",
  "\uffa0",
  "\ufe00",
  "\ufe0f",
  "\u{e0100}",
  "\u200c",
  "\u200d",
  "\u0301",
  "\u0301".repeat(9),
  "\u20e3",
  "1",
  "❤",
  "👩‍👩‍👧",
  "क्",
  "ی",
  "\ud83d",
  "\ude00",
  "😀",
  "日本",
  "葛\u{e0100}",
  "é"
)

/** Texts full of characters that terminals act on. */
const texts = FastCheck.array(FastCheck.oneof(special, FastCheck.string({ unit: "binary" }), FastCheck.string()), {
  maxLength: 20
}).map((parts) => parts.join(""))

/** Characters that a terminal shows as they are, or that move it to a new line or tab stop. */
const isHarmless = (character: string): boolean => {
  const code = character.codePointAt(0) ?? 0
  if (character === "\n" || character === "\t") return true
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return false
  if (code >= 0xd800 && code <= 0xdfff) return false
  return !/[\p{Bidi_Control}\u2028\u2029]/u.test(character)
}

/** Emoji as Unicode recommends them, including their joiners and selectors. */
const emoji = new RegExp("\\p{RGI_Emoji}", "gv")

/** What could hide something: invisible characters and stacks of marks, except for those that a script needs. */
const hidden = (text: string) =>
  text
    .replace(emoji, "x")
    .replace(/\p{Ideographic}[\ufe00-\ufe02\u{e0100}-\u{e01ef}]/gu, "x")
    .replace(/(?<=[\p{Script=Arabic}\p{Script=Devanagari}]\p{M}{0,4})[\u200c\u200d]/gu, "")
    .match(/\p{Default_Ignorable_Code_Point}|\p{M}{5,}|^\p{M}|(?<=[\n\t])\p{M}/gu)

describe("TerminalText", () => {
  it.prop("a block holds nothing that a terminal acts on, but for tabs and line feeds", { text: texts }, ({ text }) => {
    expect(Array.from(TerminalText.block(text)).filter((character) => !isHarmless(character))).toEqual([])
  })

  it.prop("a line holds no line feed or tab either", { text: texts }, ({ text }) => {
    const line = TerminalText.line(text)
    expect(line).not.toMatch(/[\n\t]/)
    expect(Array.from(line).every(isHarmless)).toBe(true)
  })

  it.prop("what was made harmless stays as it is", { text: texts }, ({ text }) => {
    const once = TerminalText.block(text)
    expect(TerminalText.block(once)).toBe(once)
  })

  it.prop(
    "a text in parts is shown like the whole, wherever it was cut",
    { text: texts, cuts: FastCheck.array(FastCheck.nat(60), { maxLength: 8 }) },
    ({ cuts, text }) => {
      const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
      let shown = ""
      let state = TerminalText.begin
      for (let at = 1; at < places.length; at++) {
        const [part, next] = TerminalText.next(state, text.slice(places[at - 1], places[at]))
        shown += part
        state = next
      }
      expect(shown + TerminalText.end(state)).toBe(TerminalText.block(text))
    }
  )

  it.prop("a line of JSON stays the same JSON", { value: FastCheck.jsonValue(), text: texts }, ({ text, value }) => {
    const json = TerminalText.json(JSON.stringify({ value, [text]: text }))
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ value, [text]: text })))
    expect(Array.from(json).every(isHarmless)).toBe(true)
  })

  it.prop(
    "a short text takes no more than its columns, and is the whole when that fits",
    { text: texts, columns: FastCheck.integer({ min: 1, max: 60 }) },
    ({ columns, text }) => {
      const short = TerminalText.short(text, columns)
      expect(Columns.width(short)).toBeLessThanOrEqual(columns)
      expect(short).not.toMatch(/[\n\t\x1b]/)
      if (Columns.width(TerminalText.line(text)) <= columns && text.length < columns) {
        expect(short).toBe(TerminalText.line(text))
      }
    }
  )

  it.prop("nothing is hidden in a block", { text: texts }, ({ text }) => {
    expect(hidden(TerminalText.block(text))).toBe(null)
  })

  it("shows each invisible character by its number", () => {
    const invisible = {
      "soft hyphen": "\u00ad",
      "grapheme joiner": "\u034f",
      "Hangul filler": "\u3164",
      "Hangul choseong filler": "\u115f",
      "halfwidth Hangul filler": "\uffa0",
      "Khmer vowel": "\u17b4",
      "Mongolian selector": "\u180b",
      "zero width space": "\u200b",
      "zero width non-joiner": "\u200c",
      "zero width joiner": "\u200d",
      "word joiner": "\u2060",
      "first selector": "\ufe00",
      "last selector": "\ufe0f",
      "supplementary selector": "\u{e0100}",
      "byte order mark": "\ufeff",
      "shorthand format": "\u{1bca0}",
      "musical beam": "\u{1d173}",
      tag: "\u{e0061}"
    }
    for (const [name, character] of Object.entries(invisible)) {
      const hex = (character.codePointAt(0) ?? 0).toString(16)
      const sign = hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`
      expect([name, TerminalText.line(`rm${character} x`)]).toEqual([name, `rm${sign} x`])
      expect([name, JSON.parse(TerminalText.json(JSON.stringify(character)))]).toEqual([name, character])
      expect([name, TerminalText.json(JSON.stringify(character)).includes(character)]).toEqual([name, false])
    }
  })

  it("shows the marks of a stack beyond the fourth, and those that have nothing to stand on", () => {
    expect(TerminalText.line(`a${"\u0301".repeat(6)}b`)).toBe(`a${"\u0301".repeat(4)}\\u0301\\u0301b`)
    expect(TerminalText.line("\u0301a")).toBe("\\u0301a")
    expect(TerminalText.block("a\n\u0301\t\u20e3")).toBe("a\n\\u0301\t\\u20e3")
    expect(TerminalText.json(`"${"e\u0301".repeat(3)}${"\u0301".repeat(9)}"`)).not.toMatch(/\p{M}{5}/u)
  })

  it("plain text of any script stays as it is", () => {
    const text = "Grüße, 日本語, עִבְרִית, हिन्दी क्‍ष, می‌خواهم, ไทยที่นี่, Tiê\u0301ng, 👩‍👩‍👧 👍🏽 ❤️ 1️⃣ 🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿 and\n\ttabs"
    expect(TerminalText.block(text)).toBe(text)
  })

  it("says what was taken out", () => {
    expect(TerminalText.block("a\x1b[2Jb")).toBe("a␛[2Jb")
    expect(TerminalText.line("a\r\nb\u202ec")).toBe("a␊b\\u202ec")
    expect(TerminalText.block("100%\rdone")).toBe("100%␍done")
  })

  it("counts columns, two for wide characters", () => {
    expect(Columns.width("abc")).toBe(3)
    expect(Columns.width("日本")).toBe(4)
    expect(TerminalText.pad("日本", 6)).toBe("日本  ")
  })
})
