import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Excerpt from "../../../src/domain/Excerpt.js"

const letter = FastCheck.constantFrom("a", "b", "é", "€", "😀", "\n", "\ufeff")
const pieces = FastCheck.array(FastCheck.array(letter, { maxLength: 12 }).map((letters) => letters.join("")))
const limit = FastCheck.integer({ min: 0, max: 40 })

const size = (text: string) => Buffer.byteLength(text)

const of = (limit: number, pieces: ReadonlyArray<string>) => pieces.reduce(Excerpt.append, Excerpt.empty(limit))

describe("Excerpt", () => {
  it.prop("a text within the limit stays whole", [pieces], ([pieces]) => {
    const text = pieces.join("")
    expect(Excerpt.result(of(size(text), pieces))).toEqual({ text, truncatedBytes: 0 })
  })

  it.prop(
    "a longer text keeps both ends, in whole characters, and says how many bytes are missing",
    [pieces, limit],
    ([pieces, limit]) => {
      const whole = pieces.join("")
      FastCheck.pre(size(whole) > limit)
      const { text, truncatedBytes } = Excerpt.result(of(limit, pieces))
      const [head = "", tail = ""] = text.split(`\n[… ${truncatedBytes} bytes left out here …]\n`)
      expect(text).toBe(`${head}\n[… ${truncatedBytes} bytes left out here …]\n${tail}`)
      expect(whole.startsWith(head)).toBe(true)
      expect(whole.endsWith(tail)).toBe(true)
      expect(text).not.toMatch(/\p{Surrogate}/u)
      expect(size(head) + size(tail) + truncatedBytes).toBe(size(whole))
      expect(size(head)).toBeLessThanOrEqual(Math.floor(limit / 2))
      expect(size(tail)).toBeLessThanOrEqual(Math.ceil(limit / 2))
      // The unused room at each end is less than one character.
      expect(size(head) + size(tail)).toBeGreaterThan(limit - 8)
    }
  )

  it.prop("holds at most about twice the limit while text arrives", [pieces, limit], ([pieces, limit]) => {
    const { head, tail } = of(limit, pieces)
    expect(head.length + tail.length).toBeLessThanOrEqual(2 * limit + 1)
  })

  it.each([
    [6, "abcdefgh", "abc\n[… 2 bytes left out here …]\nfgh"],
    [6, "ab😀cd", "ab\n[… 4 bytes left out here …]\ncd"],
    [4, "é€xy", "é\n[… 3 bytes left out here …]\nxy"],
    [0, "a", "\n[… 1 bytes left out here …]\n"]
  ])("within %i bytes, %j is %j", (limit, text, shown) => {
    expect(Excerpt.result(of(limit, [text])).text).toBe(shown)
    expect(Excerpt.result(of(limit, Array.from(text))).text).toBe(shown)
  })
})
