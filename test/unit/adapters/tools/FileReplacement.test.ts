import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, Ref } from "effect"
import { readFile, utimes, writeFile } from "node:fs/promises"
import { hash } from "../../../../src/adapters/tools/FileContent.js"
import { isTemporary, maxBytes, replaceFile } from "../../../../src/adapters/tools/FileReplacement.js"
import * as Files from "../../../../src/adapters/tools/WorkspaceFiles.js"
import * as TestWorkspace from "./TestWorkspace.js"

const bytes = (text: string) => new TextEncoder().encode(text)

const replacer = Effect.fn(function* (workdir: string) {
  const workspace = yield* Files.open(workdir)
  return (path: string, content: Uint8Array, expected: Option.Option<string> = Option.none()) =>
    Effect.flatMap(Files.locate(workspace, path), (place) => replaceFile(workspace, place, content, expected))
})

/** Gives the event loop one turn. */
const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

describe("replacing a file", () => {
  it.scopedLive("is refused if the file no longer has the expected content, and changes nothing", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "seen" })
      const replace = yield* replacer(workdir)
      const expected = Option.some(hash(bytes("seen")))
      yield* replace("a.txt", bytes("first"), expected)
      const stale = yield* Effect.flip(replace("a.txt", bytes("second"), expected))
      expect(stale).toMatchObject({ _tag: "FileRefused", reason: "changed", path: "a.txt" })
      expect(yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))).toBe("first")
      const gone = [replace("none.txt", bytes("x"), expected), replace("no/such/a.txt", bytes("x"), expected)]
      for (const effect of gone) expect(yield* Effect.flip(effect)).toMatchObject({ reason: "changed" })
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual(["a.txt"])
    })
  )

  it.scopedLive("detects a change that keeps the size and the time", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "one" })
      const replace = yield* replacer(workdir)
      const resetTime = Effect.promise(() => utimes(at("a.txt"), 1, 1))
      const expected = Option.some(hash(bytes("one")))
      yield* resetTime
      yield* replace("a.txt", bytes("one"), expected)
      yield* resetTime
      yield* Effect.promise(() => writeFile(at("a.txt"), "two"))
      yield* resetTime
      const stale = yield* Effect.flip(replace("a.txt", bytes("new"), expected))
      expect(stale).toMatchObject({ reason: "changed" })
      expect(yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))).toBe("two")
    })
  )

  it.scopedLive("shows readers the old content or the new one, never a part", () =>
    Effect.gen(function* () {
      const contents = ["a", "b", "c", "d", "e", "f"].map((letter) => letter.repeat(2_000_000))
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": contents[0] ?? "" })
      const replace = yield* replacer(workdir)
      const done = yield* Ref.make(false)
      const reading = yield* Effect.fork(
        Effect.gen(function* () {
          const seen = yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))
          expect(contents.includes(seen)).toBe(true)
          return yield* Ref.get(done)
        }).pipe(Effect.repeat({ until: (isDone) => isDone }))
      )
      for (const content of contents) yield* replace("a.txt", bytes(content))
      yield* Ref.set(done, true)
      yield* Fiber.join(reading)
    })
  )

  it.scopedLive("interrupted at any moment, leaves the old or the new file and no temporary one", () =>
    Effect.gen(function* () {
      const before = "old"
      const after = "n".repeat(4_000_000)
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": before })
      const replace = yield* replacer(workdir)
      const outcomes = new Set<string>()
      for (let turns = 0; turns < 60; turns++) {
        yield* Effect.promise(() => writeFile(at("a.txt"), before))
        const fiber = yield* Effect.fork(replace("a.txt", bytes(after)))
        yield* Effect.repeatN(turn, turns)
        yield* Fiber.interrupt(fiber)
        const text = yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))
        outcomes.add(text === before ? "old" : text === after ? "new" : "neither")
        expect(yield* TestWorkspace.namesIn(workdir)).toEqual(["a.txt"])
      }
      expect(outcomes.has("neither")).toBe(false)
      expect(outcomes.has("old")).toBe(true)
    })
  )

  it.scopedLive("refuses content above the limit before creating anything", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const replace = yield* replacer(workdir)
      const refused = yield* Effect.flip(replace("a/b.txt", new Uint8Array(maxBytes + 1)))
      expect(refused).toMatchObject({ _tag: "FileRefused", reason: "too-large" })
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual([])
    })
  )

  it("recognizes its temporary files by name", () => {
    expect(isTemporary(".skein-0b1f.tmp")).toBe(true)
    expect(isTemporary("skein.tmp")).toBe(false)
    expect(isTemporary(".skein-notes.md")).toBe(false)
  })
})
