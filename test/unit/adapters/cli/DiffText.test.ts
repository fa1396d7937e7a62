import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as DiffText from "../../../../src/adapters/cli/DiffText.js"
import * as Ansi from "../../../../src/adapters/cli/terminal/Ansi.js"

const linesOf = (before: string | null, after: string, lines = 100) =>
  DiffText.lines(Ansi.none, { type: "diff", path: "a.ts", before, after }, { lines, columns: 20 })

const text = FastCheck.array(FastCheck.constantFrom("a", "b", "", "- c"), { maxLength: 8 })

describe("DiffText", () => {
  it("shows a new file, an emptied one and one line of many", () => {
    expect(linesOf(null, "a\nb\n")).toEqual(["a.ts +2 -0", "+ a", "+ b"])
    expect(linesOf("a\nb", "")).toEqual(["a.ts +0 -2", "- a", "- b"])
    expect(linesOf("a\nb\nc\n", "a\nB\nc\n")).toEqual(["a.ts +1 -1", "- b", "+ B"])
    expect(linesOf("a\na\n", "a\na\na\n")).toEqual(["a.ts +1 -0", "+ a"])
    expect(linesOf(null, "")).toEqual(["a.ts +0 -0"])
  })

  it("cuts what is long, and says how much more there is", () => {
    expect(linesOf(null, `${"x".repeat(30)}\nb\nc\n`, 2)).toEqual([
      "a.ts +3 -0",
      `+ ${"x".repeat(19)}…`,
      "+ b",
      "… 1 more line"
    ])
  })

  it.prop(
    "its lines, between what both texts share, make the one of the other",
    { before: text, after: text },
    ({ after, before }) => {
      const [, ...changed] = linesOf(before.join("\n"), after.join("\n"))
      const of = (sign: string) => changed.flatMap((line) => (line.startsWith(sign) ? [line.slice(2)] : []))
      const plain = (lines: ReadonlyArray<string>) => {
        const joined = lines.join("\n").replace(/\n$/u, "")
        return joined === "" && lines.length < 2 ? [] : joined.split("\n")
      }
      const [old, now, removed, added] = [plain(before), plain(after), of("- "), of("+ ")]
      const made = Array.from({ length: old.length + 1 }, (_, at) =>
        [...old.slice(0, at), ...added, ...old.slice(at + removed.length)].join("\n")
      )
      expect(made).toContain(now.join("\n"))
    }
  )
})
