import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { readFile } from "node:fs/promises"
import { edit } from "../../../../src/adapters/tools/EditTool.js"
import * as TestWorkspace from "./TestWorkspace.js"

const textOf = (path: string) => Effect.promise(() => readFile(path, "utf8"))

describe("edit", () => {
  it.scopedLive("replaces the only occurrence and reports its line", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.ts": "one\ntwo\nthree" })
      const told = yield* edit
        .invoke({ path: "a.ts", oldText: "two\nth", newText: "$& $1 " })
        .pipe(TestWorkspace.inFolder(workdir))
      expect(told.text).toBe("Edited a.ts at line 2")
      expect(yield* textOf(at("a.ts"))).toBe("one\n$& $1 ree")
    })
  )

  it.scopedLive("shows people the file before and after, unless it is no longer text", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "src/a.ts": "\ufeffone\r\ntwo" })
      const call = (oldText: string, newText: string) =>
        edit.invoke({ path: "src/a.ts", oldText, newText }).pipe(TestWorkspace.inFolder(workdir))
      expect((yield* call("one\n", "1\n")).diffs).toEqual([
        { path: "src/a.ts", before: "\ufeffone\r\ntwo", after: "\ufeff1\r\ntwo" }
      ])
      expect(yield* call("two", "\0")).toMatchObject({ text: "Edited src/a.ts at line 2", diffs: [] })
    })
  )

  it.scopedLive("shows no diff of a file that was or becomes larger than 64 KiB", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.ts": `a${"x".repeat(64 * 1024 - 1)}` })
      const call = (oldText: string, newText: string) =>
        edit.invoke({ path: "a.ts", oldText, newText }).pipe(
          TestWorkspace.inFolder(workdir),
          Effect.map(({ diffs = [] }) => diffs.length)
        )
      expect(yield* call("a", "b")).toBe(1)
      expect(yield* call("b", "ü")).toBe(0)
      expect(yield* call("ü", "c")).toBe(0)
    })
  )

  it.scopedLive("changes nothing when the text is missing or occurs more than once", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.ts": "x x x" })
      const refused = (oldText: string, all = false) =>
        Effect.flip(edit.invoke({ path: "a.ts", oldText, newText: "y", all })).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* refused("x")).toMatchObject({ _tag: "TextNotFound", path: "a.ts", occurrences: 3 })
      expect(yield* refused("X")).toMatchObject({ _tag: "TextNotFound", occurrences: 0 })
      expect(yield* refused("X", true)).toMatchObject({ _tag: "TextNotFound", occurrences: 0 })
      expect(yield* refused("")).toMatchObject({ _tag: "InputInvalid" })
      expect(yield* textOf(at("a.ts"))).toBe("x x x")
    })
  )

  it.scopedLive("replaces all occurrences on request", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.ts": "-\nx x x" })
      const told = yield* edit
        .invoke({ path: "a.ts", oldText: "x", newText: "xx", all: true })
        .pipe(TestWorkspace.inFolder(workdir))
      expect(told.text).toBe("Edited a.ts at 3 places, first at line 2")
      expect(yield* textOf(at("a.ts"))).toBe("-\nxx xx xx")
    })
  )

  it.scopedLive("counts overlapping occurrences, and replaces the first of them with `all`", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "x = 1\nx = 1\nx = 1\n" })
      const call = (all: boolean) =>
        edit.invoke({ path: "a.txt", oldText: "x = 1\nx = 1", newText: "y", all }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* Effect.flip(call(false))).toMatchObject({ _tag: "TextNotFound", occurrences: 2 })
      expect((yield* call(true)).text).toBe("Edited a.txt at line 1; 1 more that overlap these were not replaced")
      expect(yield* textOf(at("a.txt"))).toBe("y\nx = 1\n")
    })
  )

  it.scopedLive("matches a line feed with either line ending, and writes the file's own", () =>
    Effect.gen(function* () {
      const after = (content: string, oldText: string, newText: string, all = false) =>
        Effect.gen(function* () {
          const { at, workdir } = yield* TestWorkspace.make({ "a.txt": content })
          yield* edit.invoke({ path: "a.txt", oldText, newText, all }).pipe(TestWorkspace.inFolder(workdir))
          return yield* textOf(at("a.txt"))
        })
      expect(yield* after("one\r\ntwo\r\n", "two", "two\nand a half")).toBe("one\r\ntwo\r\nand a half\r\n")
      expect(yield* after("a\r\nb\r\nc\r\n", "a\nb", "1\n2\n3")).toBe("1\r\n2\r\n3\r\nc\r\n")
      expect(yield* after("a\r\nb\r\nc\r\n", "a\r\nb\n", "1\r\n")).toBe("1\r\nc\r\n")
      expect(yield* after("a\nb\n", "a\r\nb", "1\r\n2")).toBe("1\n2\n")
      expect(yield* after("a\r\nb", "\nb", "\nc\nd")).toBe("a\r\nc\r\nd")
      expect(yield* after("a", "a", "a\r\nb\n")).toBe("a\r\nb\n")
      expect(yield* after("a\rb\r\n", "a\rb", "c\rd")).toBe("c\rd\r\n")
      // Mixed line ends: those of the match in order, then its last one; if it has none, that of its line.
      expect(yield* after("a\r\nb\nc\r\nd\n", "a\nb\nc", "A\nB\nC")).toBe("A\r\nB\nC\r\nd\n")
      expect(yield* after("a\nb\r\nc\n", "a\nb", "1\n2\n3")).toBe("1\n2\n3\r\nc\n")
      expect(yield* after("a\nb\r\nc\n", "b", "1\n2")).toBe("a\n1\r\n2\r\nc\n")
      expect(yield* after("a\nb\r\nc", "c", "1\n2")).toBe("a\nb\r\n1\r\n2")
      expect(yield* after("x\ny\r\nx\r\ny", "x\ny", "x\n-\ny", true)).toBe("x\n-\ny\r\nx\r\n-\r\ny")
    })
  )

  it.scopedLive("refuses a newText that changes nothing", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "a\r\nb" })
      const refused = (oldText: string, newText: string) =>
        Effect.flip(edit.invoke({ path: "a.txt", oldText, newText })).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* refused("a", "a")).toMatchObject({ _tag: "NothingToChange", path: "a.txt" })
      expect(yield* refused("a\r\nb", "a\nb")).toMatchObject({ _tag: "NothingToChange" })
      expect(yield* textOf(at("a.txt"))).toBe("a\r\nb")
    })
  )

  it.scopedLive("refuses a result that would be too large before building it", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "a".repeat(1_000_000) })
      const call = (newText: string) =>
        edit.invoke({ path: "a.txt", oldText: "a", newText, all: true }).pipe(TestWorkspace.inFolder(workdir))
      const before = process.memoryUsage().arrayBuffers
      // More than the process could produce.
      const refused = yield* Effect.flip(call("b".repeat(9_000_000)))
      expect(refused).toMatchObject({ _tag: "FileRefused", reason: "too-large" })
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000)
      expect((yield* call("b".repeat(10))).text).toBe("Edited a.txt at 1000000 places, first at line 1")
      expect(yield* textOf(at("a.txt"))).toBe("b".repeat(10_000_000))
    })
  )

  it.scopedLive("keeps a byte order mark, and refuses files whose bytes it would change", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({
        "bom.txt": "\ufeffabc",
        "latin1.txt": new Uint8Array([0x61, 0xe4]),
        "binary.bin": new Uint8Array([0x61, 0])
      })
      const call = (path: string) =>
        edit.invoke({ path, oldText: "a", newText: "b" }).pipe(TestWorkspace.inFolder(workdir))
      yield* call("bom.txt")
      expect(yield* textOf(at("bom.txt"))).toBe("\ufeffbbc")
      expect(yield* Effect.flip(call("latin1.txt"))).toMatchObject({ reason: "not-text" })
      expect(yield* Effect.flip(call("binary.bin"))).toMatchObject({ reason: "binary" })
      expect(yield* Effect.flip(call("none.txt"))).toMatchObject({ reason: "not-found" })
      expect(yield* Effect.flip(call("none/none.txt"))).toMatchObject({ reason: "not-found" })
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual(["binary.bin", "bom.txt", "latin1.txt"])
    })
  )

  it.scopedLive("loses no concurrent edit silently: each is in the file or was refused", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 12 }, (_, index) => `<${index}>`)
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": names.join("") })
      const results = yield* Effect.forEach(
        names,
        (oldText) => Effect.either(edit.invoke({ path: "a.txt", oldText, newText: "." })),
        { concurrency: "unbounded" }
      ).pipe(TestWorkspace.inFolder(workdir))
      const done = results.filter(({ _tag }) => _tag === "Right").length
      const text = yield* textOf(at("a.txt"))
      expect(text.replaceAll(/[^.]/g, "").length).toBe(done)
      expect(done).toBeGreaterThan(0)
      expect(done).toBeLessThan(names.length)
      for (const result of results) {
        if (result._tag === "Left") expect(result.left).toMatchObject({ _tag: "FileRefused", reason: "changed" })
      }
    })
  )

  it.effect.prop(
    "with `all` replaces the same as `replaceAll` on the whole text",
    {
      content: FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "\n", "é"), maxLength: 30 }),
      oldText: FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "\n", "é"), minLength: 1, maxLength: 4 }),
      newText: FastCheck.string({ unit: FastCheck.constantFrom("c", "\n", "😀"), maxLength: 4 }),
      isCrlf: FastCheck.boolean()
    },
    ({ content, isCrlf, newText, oldText }) =>
      Effect.gen(function* () {
        const ends = (text: string) => (isCrlf ? text.replaceAll("\n", "\r\n") : text)
        const { at, workdir } = yield* TestWorkspace.make({ "a.txt": ends(content) })
        const call = edit.invoke({ path: "a.txt", oldText, newText, all: true })
        const done = yield* Effect.either(call.pipe(TestWorkspace.inFolder(workdir)))
        const isChanged = content.includes(oldText) && oldText !== newText
        expect(done._tag).toBe(isChanged ? "Right" : "Left")
        const replaced = content.replaceAll(oldText, newText)
        const expected = content.includes("\n") ? ends(replaced) : replaced
        expect(yield* textOf(at("a.txt"))).toBe(isChanged ? expected : ends(content))
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 60 } }
  )

  it.effect.prop(
    "restores the file when an edit is reversed",
    { before: FastCheck.string(), after: FastCheck.string(), oldText: FastCheck.string({ minLength: 1 }) },
    ({ after, before, oldText }) =>
      Effect.gen(function* () {
        const content = `${before}${oldText}${after}`
        const { at, workdir } = yield* TestWorkspace.make({ "a.txt": content })
        const replace = (from: string, to: string) =>
          edit.invoke({ path: "a.txt", oldText: from, newText: to }).pipe(TestWorkspace.inFolder(workdir))
        const there = yield* Effect.either(replace(oldText, "\u0001"))
        if (there._tag === "Left") expect(there.left).toMatchObject({ _tag: "TextNotFound" })
        else yield* replace("\u0001", oldText)
        expect(yield* textOf(at("a.txt"))).toBe(content)
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 25 } }
  )
})
