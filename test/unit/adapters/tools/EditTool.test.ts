import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { readFile } from "node:fs/promises"
import { edit } from "../../../../src/adapters/tools/EditTool.js"
import * as TestWorkspace from "./TestWorkspace.js"

const textOf = (path: string) => Effect.promise(() => readFile(path, "utf8"))

describe("edit", () => {
  it.scopedLive("replaces the one occurrence and tells the line", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.ts": "one\ntwo\nthree" })
      const told = yield* edit
        .invoke({ path: "a.ts", oldText: "two\nth", newText: "$& $1 " })
        .pipe(TestWorkspace.inFolder(workdir))
      expect(told).toBe("Edited a.ts at line 2")
      expect(yield* textOf(at("a.ts"))).toBe("one\n$& $1 ree")
    })
  )

  it.scopedLive("changes nothing when the text occurs not at all, or more than once", () =>
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

  it.scopedLive("replaces all when told to", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.ts": "-\nx x x" })
      const told = yield* edit
        .invoke({ path: "a.ts", oldText: "x", newText: "xx", all: true })
        .pipe(TestWorkspace.inFolder(workdir))
      expect(told).toBe("Edited a.ts at 3 places, first at line 2")
      expect(yield* textOf(at("a.ts"))).toBe("-\nxx xx xx")
    })
  )

  it.scopedLive("fits line feeds to a file with CRLF, and only then", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "crlf.txt": "a\r\nb\r\nc\r\n", "mixed.txt": "a\nb\r\nc\n" })
      const call = (path: string) =>
        edit.invoke({ path, oldText: "a\nb", newText: "1\n2\n3" }).pipe(TestWorkspace.inFolder(workdir))
      yield* call("crlf.txt")
      yield* call("mixed.txt")
      expect(yield* textOf(at("crlf.txt"))).toBe("1\r\n2\r\n3\r\nc\r\n")
      expect(yield* textOf(at("mixed.txt"))).toBe("1\n2\n3\r\nc\n")
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

  it.scopedLive("edits that run at once lose nothing silently: each is in the file or was refused", () =>
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
    "an edit and its reverse give the file as it was",
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
