import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as SafeText from "../../../src/domain/SafeText.js"

const units = FastCheck.constantFrom("a", "\n", "é", "😀", "\ud83d", "\ude00")

describe("SafeText", () => {
  it.prop(
    "each lone surrogate becomes U+FFFD, all else stays as it is",
    [FastCheck.string({ unit: units })],
    ([text]) => {
      const points = Array.from(text, (point) => (/^[\ud800-\udfff]$/.test(point) ? "\ufffd" : point))
      expect(SafeText.wellFormed(text)).toBe(points.join(""))
    }
  )

  it.each([
    ["", true],
    ["text 😀\n", true],
    ["a\0b", false],
    ["a\ud83d", false],
    ["\ude00\0", false]
  ])("%j survives a text column: %s", (text, survives) => {
    expect(SafeText.isStorable(text)).toBe(survives)
  })
})
