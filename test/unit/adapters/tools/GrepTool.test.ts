import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { symlink } from "node:fs/promises"
import { grep } from "../../../../src/adapters/tools/GrepTool.js"
import * as Lines from "../../../../src/adapters/tools/Lines.js"
import * as TestWorkspace from "./TestWorkspace.js"

const tree = {
  "README.md": "Skein\n\nfoo here\n",
  "src/a.ts": "const foo = 1\r\nconst bar = 2\r\n",
  "src/deep/b.js": "FOO\nlast foo",
  ".git/config": "foo",
  "node_modules/pkg/index.js": "foo",
  "image.png": new Uint8Array([0x66, 0x6f, 0x6f, 0]),
  ".skein-1.tmp": "foo"
}

describe("grep", () => {
  it.scopedLive("returns path, line number and line, in order", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make(tree)
      const call = (pattern: string, options: { readonly path?: string; readonly include?: string } = {}) =>
        grep.invoke({ pattern, ...options }).pipe(TestWorkspace.inFolder(workdir))
      const unsearched = "\n[binary files not searched: 1, the first is image.png]"
      expect(yield* call("foo")).toBe(
        `README.md:3: foo here\nsrc/a.ts:1: const foo = 1\nsrc/deep/b.js:2: last foo${unsearched}`
      )
      expect(yield* call("(?i)^foo$")).toBe(`src/deep/b.js:1: FOO${unsearched}`)
      expect(yield* call("= \\d$")).toBe(`src/a.ts:1: const foo = 1\nsrc/a.ts:2: const bar = 2${unsearched}`)
      expect(yield* call("foo", { path: "src" })).toBe("src/a.ts:1: const foo = 1\nsrc/deep/b.js:2: last foo")
      expect(yield* call("foo", { path: "src/a.ts" })).toBe("src/a.ts:1: const foo = 1")
      expect(yield* call("foo", { include: "*.{ts,md}" })).toBe("README.md:3: foo here\nsrc/a.ts:1: const foo = 1")
      expect(yield* call("foo", { path: "src", include: "deep/**" })).toBe("src/deep/b.js:2: last foo")
      expect(yield* call("foo", { path: "node_modules" })).toBe("node_modules/pkg/index.js:1: foo")
      expect(yield* call("foo", { include: ".git/*" })).toBe(".git/config:1: foo")
      expect(yield* call("^$")).toBe(`README.md:2: ${unsearched}`)
      expect(yield* call("no such text")).toBe(`[nothing found]${unsearched}`)
      expect(yield* Effect.flip(call("foo", { path: "image.png" }))).toMatchObject({ reason: "binary" })
    })
  )

  it.scopedLive("reports binary files that it was to search and did not, small and large", () =>
    Effect.gen(function* () {
      const binary = new Uint8Array([0x66, 0x6f, 0x6f, 0])
      const { workdir } = yield* TestWorkspace.make({
        "a.txt": "foo",
        "b/small.png": binary,
        "c/large.bin": new Uint8Array(300 * 1024)
      })
      const call = (pattern: string, include?: string) =>
        grep.invoke({ pattern, ...(include === undefined ? {} : { include }) }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call("foo")).toBe("a.txt:1: foo\n[binary files not searched: 2, the first is b/small.png]")
      expect(yield* call("nothing", "c/*")).toBe(
        "[nothing found]\n[binary files not searched: 1, the first is c/large.bin]"
      )
      expect(yield* call("foo", "*.txt")).toBe("a.txt:1: foo")
    })
  )

  it.scopedLive("refuses an invalid expression, even when there is nothing to search", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const refused = (pattern: string) => Effect.flip(grep.invoke({ pattern })).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* refused("(a")).toMatchObject({ _tag: "PatternRefused", pattern: "(a" })
      expect(yield* refused("a**")).toMatchObject({ _tag: "PatternRefused" })
      expect(yield* refused("")).toMatchObject({ _tag: "InputInvalid" })
      expect(yield* refused("x".repeat(1001))).toMatchObject({ _tag: "InputInvalid" })
      const glob = yield* Effect.flip(grep.invoke({ pattern: "a", include: "/x" })).pipe(
        TestWorkspace.inFolder(workdir)
      )
      expect(glob).toMatchObject({ _tag: "PatternRefused", pattern: "/x" })
    })
  )

  it.scopedLive("limits lines and the length of a line, and says so", () =>
    Effect.gen(function* () {
      const long = `${"é".repeat(5000)}needle${"x".repeat(3_000_000)}`
      const { workdir } = yield* TestWorkspace.make({
        "a.txt": "hit\n".repeat(150),
        "b.txt": "hit\n".repeat(150),
        "c.txt": long
      })
      const call = (pattern: string) => grep.invoke({ pattern }).pipe(TestWorkspace.inFolder(workdir))
      const found = (yield* call("hit")).split("\n")
      expect(found.slice(-2)).toEqual(["b.txt:50: hit", "[more than these 200; narrow the search]"])
      expect(found.length).toBe(201)
      const cut = yield* call("needle")
      expect(cut).toMatch(/^c\.txt:1: …é{80}needlex{154}…$/)
    })
  )

  it.scopedLive("says which lines it searched only in part, unless that part matched", () =>
    Effect.gen(function* () {
      const long = `first${"x".repeat(Lines.maxCharacters)}last`
      const { workdir } = yield* TestWorkspace.make({ "a.txt": `${long}\n${long}`, "b.txt": "last" })
      const call = (pattern: string, path = ".") => grep.invoke({ pattern, path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call("^first", "a.txt")).toMatch(/^a\.txt:1: firstx+…\na\.txt:2: firstx+…$/)
      expect(yield* call("last$")).toBe(
        "b.txt:1: last\n[lines searched only in their first MiB: 2, the first at a.txt:1]"
      )
    })
  )

  it.scopedLive("does not search links, and ends despite loops", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "a/b.txt": "secret" })
      yield* Effect.promise(async () => {
        await symlink("..", at("a/up"))
        await symlink(outside, at("a/out"))
        await symlink(`${outside}/secret.txt`, at("a/out.txt"))
      })
      expect(yield* grep.invoke({ pattern: "secret" }).pipe(TestWorkspace.inFolder(workdir))).toBe("a/b.txt:1: secret")
    })
  )

  it.scoped("ends an expression that never finishes at the time limit, and returns what it found", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.txt": "aaa\n", "b/b.txt": `${"a".repeat(1_000_000)}!\n` })
      const searching = yield* Deferred.make<void>()
      const progress = (text: string) =>
        text === "searching b" ? Effect.asVoid(Deferred.succeed(searching, undefined)) : Effect.void
      const call = grep.invoke({ pattern: "(a+)+$" }).pipe(TestWorkspace.inFolder(workdir, progress))
      const fiber = yield* Effect.fork(call)
      yield* Deferred.await(searching)
      yield* TestClock.adjust("19 seconds")
      expect(fiber.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toMatch(
        /^a\.txt:1: aaa\n\[stopped after 20 seconds in b(\/b\.txt)?; simplify the pattern or narrow the search\]$/
      )
    })
  )
})
