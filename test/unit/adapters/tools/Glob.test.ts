import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import * as Glob from "../../../../src/adapters/tools/Glob.js"

const source = (pattern: string) => Either.map(Glob.compile(pattern), ({ flags, source }) => new RegExp(source, flags))

/** Those of the paths that a pattern finds. */
const found = (pattern: string, ...paths: ReadonlyArray<string>) => {
  const expression = Either.getOrThrow(source(pattern))
  return paths.filter((path) => expression.test(path))
}

/** The characters of patterns, especially brackets and backslashes. */
const piece = FastCheck.constantFrom(
  ...Array.from("\\*?[]{}()|!@+,./-^$:ab01é😀 "),
  "**",
  "\\\\\\\\",
  "[!",
  "[:alpha:]",
  "{a,b}",
  "{1..3}",
  "!(",
  "*(",
  "+(a|b)",
  "/**/"
)

describe("Glob", () => {
  it("finds a file by its exact name", () => {
    for (const name of [
      "app/(group)/page.tsx",
      "par(en/a.ts",
      "[id]",
      "pages/[...slug]/[[x]].tsx",
      "a+b",
      "a+(b)",
      "x{y}",
      "x{y,z}.ts",
      "{1..3}",
      "@scope/(a|b)/!(c).ts",
      "!a",
      "a\\b",
      "\\\\\\\\",
      "[a",
      "a]b",
      "$x^.|",
      "a\nb\r",
      "*(x)?",
      "[z-a]"
    ]) {
      expect([name, found(name, name)]).toEqual([name, [name]])
    }
  })

  it("takes a bracket literally even next to brackets that have a meaning", () => {
    expect(found("app/(group)/*.tsx", "app/(group)/a.tsx", "app/group/a.tsx")).toEqual(["app/(group)/a.tsx"])
    expect(found("par(en/*.ts", "par(en/a.ts")).toEqual(["par(en/a.ts"])
    expect(found("{app,lib}/(x)/[id]/*.ts", "lib/(x)/[id]/a.ts", "lib/(x)/i/a.ts", "lib/(x)/e/a.ts")).toEqual([
      "lib/(x)/[id]/a.ts",
      "lib/(x)/i/a.ts"
    ])
    expect(found("**/[id]*", "a/[id].ts", "a/i.ts", "a/x.ts")).toEqual(["a/[id].ts", "a/i.ts"])
    expect(found("x{y}/*", "x{y}/a", "xy/a")).toEqual(["x{y}/a"])
  })

  it("matches *, ** and ? within names or across folders", () => {
    expect(found("*.ts", "a.ts", "x/y/b.ts", ".c.ts", "a.tsx")).toEqual(["a.ts", "x/y/b.ts", ".c.ts"])
    expect(found("src/*.ts", "src/a.ts", "src/x/a.ts", "b/src/a.ts")).toEqual(["src/a.ts"])
    expect(found("src/**/*.ts", "src/a.ts", "src/x/y/a.ts", "srcx/a.ts")).toEqual(["src/a.ts", "src/x/y/a.ts"])
    expect(found("src/**", "src/a", "src/x/a", "srcx/a")).toEqual(["src/a", "src/x/a"])
    expect(found("**", "a", "a/b")).toEqual(["a", "a/b"])
    expect(found("a**b/c", "axxb/c", "ax/xb/c")).toEqual(["axxb/c"])
    expect(found("./src//a.ts", "src/a.ts")).toEqual(["src/a.ts"])
    expect(found("?.md", "é.md", "😀.md", "ab.md")).toEqual(["é.md", "😀.md"])
  })

  it("matches classes, braces and groups", () => {
    expect(found("[a-c]x", "ax", "cx", "dx", "-x")).toEqual(["ax", "cx"])
    expect(found("[!a-c]x", "ax", "dx", "/x")).toEqual(["dx"])
    expect(found("[^a]", "a", "b", "[^a]")).toEqual(["b", "[^a]"])
    expect(found("[]-]", "]", "-", "a")).toEqual(["]", "-"])
    expect(found("[[:digit:]_]x", "1x", "_x", "dx")).toEqual(["1x", "_x"])
    expect(found("[+-9]x", "5x", "/x")).toEqual(["5x"])
    expect(found("*.{ts,{m,c}js}", "a.ts", "a.mjs", "a.cjs", "a.js")).toEqual(["a.ts", "a.mjs", "a.cjs"])
    expect(found("{src/,}**/a", "src/x/a", "a", "x/a")).toEqual(["src/x/a", "a", "x/a"])
    expect(found("{**,x}/b", "b", "a/b", "x/b", "xb")).toEqual(["b", "a/b", "x/b"])
    expect(found("v{08..11}", "v08", "v8", "v10", "v12")).toEqual(["v08", "v10"])
    expect(found("{a..e..2}", "a", "b", "c")).toEqual(["a", "c"])
    expect(found("(a|b).ts", "a.ts", "b.ts", "c.ts")).toEqual(["a.ts", "b.ts"])
    expect(found("+(a|b)", "abba", "")).toEqual(["abba"])
    expect(found("a?(b)c", "ac", "abc", "abbc")).toEqual(["ac", "abc"])
    expect(found("a*(b)@(c|d)", "ac", "abbd", "ab")).toEqual(["ac", "abbd"])
    expect(found("!(*.test).ts", "a.ts", "a.test.ts")).toEqual(["a.ts"])
    expect(found("src/!(a|b)/c", "src/a/c", "src/ab/c", "src/x/c")).toEqual(["src/ab/c", "src/x/c"])
    expect(found("\\[a\\]\\*", "[a]*", "[a]x")).toEqual(["[a]*"])
  })

  it("reads a printed path as that path", () => {
    expect(found('"a\\u200bb.ts"', "a\u200bb.ts")).toEqual(["a\u200bb.ts"])
  })

  it("takes any path as a pattern that finds that file, and reads or refuses any other text", () => {
    const patterns = FastCheck.array(piece, { minLength: 1, maxLength: 40 }).map((pieces) => pieces.join(""))
    FastCheck.assert(
      FastCheck.property(patterns, (pattern) => {
        const expression = source(pattern)
        const isPath = pattern.split("/").every((name) => !["", ".", ".."].includes(name))
        return !isPath || (Either.isRight(expression) && expression.right.test(pattern))
      }),
      { numRuns: 2000 }
    )
  })

  it("bounds the length of an expression, whatever is nested", () => {
    for (const unit of [
      "{a,",
      "(a|",
      "!(",
      "!(a)",
      "+(",
      "{",
      "[",
      "\\",
      "**",
      "{1..1000}",
      "[[:alpha:]",
      "{[",
      "*("
    ]) {
      const open = unit.repeat(Math.floor(1000 / unit.length))
      const half = unit.repeat(Math.floor(500 / unit.length))
      for (const pattern of [
        open,
        `${half}${"}".repeat(500)}`,
        `${half}${")".repeat(500)}`,
        `${"!(a)".repeat(120)}${half}`
      ]) {
        const expression = source(pattern.slice(0, 1000))
        if (Either.isRight(expression)) expect(expression.right.source.length).toBeLessThan(101_000)
        else
          expect(expression.left).toMatchObject({
            _tag: "PatternRefused",
            detail: "its brackets are nested too deeply"
          })
      }
    }
  })
})
