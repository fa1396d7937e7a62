import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Option } from "effect"
import * as Lines from "../../../../src/adapters/tools/Lines.js"

const blocksOf = (pieces: ReadonlyArray<string>): ReadonlyArray<Lines.Block> => {
  const blocks: Array<Lines.Block> = []
  let open = Lines.start
  for (const piece of [...pieces.map(Option.some), Option.none()]) {
    const [next, block] = Lines.push(open, piece)
    open = next
    if (block.lines.length > 0) blocks.push(block)
  }
  return blocks
}

const textOf = (blocks: ReadonlyArray<Lines.Block>): string =>
  blocks.map(({ isTerminated, lines }) => lines.join("\n") + (isTerminated ? "\n" : "")).join("")

describe("Lines", () => {
  const pieces = FastCheck.array(
    FastCheck.array(FastCheck.constantFrom("a", "b\n", "\n", "\r\n", "c")).map((parts) => parts.join(""))
  )

  it.prop("splits any pieces into lines of the same text, numbered without a gap", [pieces], ([parts]) => {
    const blocks = blocksOf(parts)
    expect(textOf(blocks)).toBe(parts.join(""))
    let next = 1
    for (const { first, lines } of blocks) {
      expect(first).toBe(next)
      next += lines.length
    }
  })

  it("drops only what exceeds the limit of a line, and says which lines it cut", () => {
    const long = "x".repeat(Lines.maxCharacters - 1)
    const [first, second] = blocksOf([long, "yy", "zzzz", "\nnext"])
    expect(first).toEqual({ first: 1, lines: [`${long}y`], cut: [0], isTerminated: true })
    expect(second).toEqual({ first: 2, lines: ["next"], cut: [], isTerminated: false })
    expect(blocksOf([`a\n${long}yy\n${long}y\n${long}yz`])).toEqual([
      { first: 1, lines: ["a", `${long}y`, `${long}y`], cut: [1], isTerminated: true },
      { first: 4, lines: [`${long}y`], cut: [0], isTerminated: false }
    ])
  })

  it("ignores more text for a full line without any work", () => {
    const [full] = Lines.push(Lines.start, Option.some("x".repeat(Lines.maxCharacters + 1)))
    const [same] = Lines.push(full, Option.some("y".repeat(100_000)))
    expect(same).toBe(full)
  })

  it.prop(
    "a window never holds half of a surrogate pair",
    [FastCheck.string({ unit: "grapheme" }), FastCheck.nat(20), FastCheck.integer({ min: 1, max: 20 })],
    ([text, from, limit]) => {
      const shown = Lines.window(text, from, limit)
      expect(shown).not.toMatch(/\p{Surrogate}/u)
      expect(shown.length).toBeLessThanOrEqual(limit)
      expect(text).toContain(shown)
    }
  )
})
