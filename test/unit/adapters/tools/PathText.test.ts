import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as PathText from "../../../../src/adapters/tools/PathText.js"

const part = FastCheck.oneof(
  FastCheck.string({ unit: "binary" }),
  FastCheck.constantFrom('"', "\\", "\n", "\u001b[31m", "\u202e", "\ud800", " ", "\u2028", "a.txt", "\u0085")
)
const paths = FastCheck.array(part).map((parts) => parts.join(""))

describe("PathText", () => {
  it.prop("prints a path that reads as the same path and hides no characters", [paths], ([path]) => {
    const printed = PathText.print(path)
    expect(PathText.parse(printed)).toBe(path)
    expect(printed).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/u)
  })

  it("leaves plain paths as they are and escapes others", () => {
    expect(PathText.print("src/ä b/(x).ts")).toBe("src/ä b/(x).ts")
    expect(PathText.print("a\n\u202eb")).toBe('"a\\n\\u202eb"')
    expect(PathText.print("tag \u{e0041}")).toBe('"tag \\udb40\\udc41"')
  })

  it("takes quoted text that is invalid JSON literally", () => {
    expect(PathText.parse('"a\\q"')).toBe('"a\\q"')
    expect(PathText.parse('"')).toBe('"')
  })
})
