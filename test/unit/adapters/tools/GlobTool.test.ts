import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { mkdir, symlink, writeFile } from "node:fs/promises"
import { glob } from "../../../../src/adapters/tools/GlobTool.js"
import { grep } from "../../../../src/adapters/tools/GrepTool.js"
import * as PathText from "../../../../src/adapters/tools/PathText.js"
import * as TestWorkspace from "./TestWorkspace.js"

const tree = {
  "README.md": "",
  ".github/ci.yml": "",
  "src/a.ts": "",
  "src/a.test.ts": "",
  "src/deep/er/b.ts": "",
  "src/!odd.ts": "",
  "src/(group)/[id].tsx": "",
  ".git/config": "",
  "src/.git/config": "",
  "node_modules/pkg/index.ts": "",
  "src/.skein-1.tmp": "half"
}

describe("glob", () => {
  it.scopedLive("finds files by pattern, in order, from the workspace down", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make(tree)
      const call = (pattern: string, path?: string) =>
        glob.invoke(path === undefined ? { pattern } : { pattern, path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call("src/*.ts")).toBe("src/!odd.ts\nsrc/a.test.ts\nsrc/a.ts")
      expect(yield* call("*.ts")).toBe("src/!odd.ts\nsrc/a.test.ts\nsrc/a.ts\nsrc/deep/er/b.ts")
      expect(yield* call("src/**/b.{ts,js}")).toBe("src/deep/er/b.ts")
      expect(yield* call("deep/**", "src")).toBe("src/deep/er/b.ts")
      expect(yield* call("./src/a.?s")).toBe("src/a.ts")
      expect(yield* call("!odd.ts")).toBe("src/!odd.ts")
      expect(yield* call("src/**/\\[id\\].tsx")).toBe("src/(group)/[id].tsx")
      expect(yield* call("*.yml")).toBe(".github/ci.yml")
      expect(yield* call("**/*.rs")).toBe("[nothing found]")
      expect(yield* call("**/*")).toBe(
        "README.md\n.github/ci.yml\nsrc/!odd.ts\nsrc/a.test.ts\nsrc/a.ts\nsrc/(group)/[id].tsx\nsrc/deep/er/b.ts"
      )
    })
  )

  it.scopedLive("keeps the order of a folder that is sorted in several portions", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 9_000 }, (_, index) => `${(index * 7_919) % 9_000}`)
      const { workdir } = yield* TestWorkspace.make(Object.fromEntries(names.map((name) => [name, ""])))
      const found = yield* glob.invoke({ pattern: "[1-8]?99" }).pipe(TestWorkspace.inFolder(workdir))
      expect(found.split("\n")).toEqual(names.filter((name) => /^[1-8].99$/.test(name)).toSorted())
    })
  )

  it.scopedLive("enters .git and node_modules only when they are named", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make(tree)
      const call = (pattern: string, path = ".") => glob.invoke({ pattern, path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call("**/.git/*")).toBe(".git/config\nsrc/.git/config")
      expect(yield* call("{src,node_modules}/**/index.ts")).toBe("node_modules/pkg/index.ts")
      expect(yield* call("*", "node_modules/pkg")).toBe("node_modules/pkg/index.ts")
      expect(yield* call("index.ts")).toBe("[nothing found]")
    })
  )

  it.scopedLive("lists links, but does not enter those to folders", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "a/b.txt": "" })
      yield* Effect.promise(async () => {
        await symlink("..", at("a/up"))
        await symlink(outside, at("a/out"))
        await symlink(at("a"), at("again"))
      })
      const found = yield* glob.invoke({ pattern: "**" }).pipe(TestWorkspace.inFolder(workdir))
      expect(found).toBe("again\na/b.txt\na/out\na/up")
    })
  )

  it.scopedLive("limits results and depth, and says so", () =>
    Effect.gen(function* () {
      const files = Array.from({ length: 501 }, (_, index) => [`many/${index}.txt`, ""] as const)
      const { at, workdir } = yield* TestWorkspace.make(Object.fromEntries(files))
      const call = (pattern: string) => glob.invoke({ pattern }).pipe(TestWorkspace.inFolder(workdir))
      const found = (yield* call("**/*.txt")).split("\n")
      expect(found.length).toBe(501)
      expect(found.at(-1)).toBe("[more than these 500; narrow the search]")
      const deep = at("d/".repeat(70))
      yield* Effect.promise(async () => {
        await mkdir(deep, { recursive: true })
        await writeFile(`${deep}/deep.md`, "")
      })
      expect(yield* call("*.md")).toBe("[nothing found]\n[folders not fully searched: 1]")
    })
  )

  it.scopedLive("refuses patterns that it cannot use", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.txt": "" })
      for (const pattern of ["", "/etc/*", "../**", "a/../../b", "x".repeat(1001)]) {
        const refused = yield* Effect.flip(glob.invoke({ pattern })).pipe(TestWorkspace.inFolder(workdir))
        expect(refused).toMatchObject({ _tag: "PatternRefused" })
      }
      for (const pattern of ["[", "{", "(", "a{b", "***", "{a..z}", "+(a|b", "\\"]) {
        expect(yield* glob.invoke({ pattern }).pipe(TestWorkspace.inFolder(workdir))).toMatch(/a\.txt|nothing found/)
      }
    })
  )

  it.scopedLive("finds a file by its exact name, whatever its characters, and again by the name that it prints", () =>
    Effect.gen(function* () {
      const names = [
        "app/(group)/[id]/page.tsx",
        "par(en/a.ts",
        "a+b",
        "x{y}",
        "[id]",
        "\\\\\\\\",
        "a\n.ts\r",
        "*",
        "!x"
      ]
      const { workdir } = yield* TestWorkspace.make(Object.fromEntries(names.map((name) => [name, "needle"])))
      const find = (pattern: string) => glob.invoke({ pattern }).pipe(TestWorkspace.inFolder(workdir))
      const search = (include: string) =>
        grep.invoke({ pattern: "needle", include }).pipe(TestWorkspace.inFolder(workdir))
      for (const name of names) {
        const printed = PathText.print(name)
        const lines = (yield* find(name)).split("\n")
        expect(lines).toContain(printed)
        expect((yield* find(printed)).split("\n")).toContain(printed)
        expect((yield* search(name)).split("\n")).toContain(`${printed}:1: needle`)
      }
      expect(yield* find("app/(group)/[id]/*.tsx")).toBe("app/(group)/[id]/page.tsx")
      expect(yield* find("par(en/*.ts")).toBe("par(en/a.ts")
    })
  )

  it.scoped("ends a pattern that never finishes at the time limit", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ [`${"a".repeat(200)}.x`]: "" })
      const pattern = `${"*a".repeat(60)}b`
      const searching = yield* Deferred.make<void>()
      const progress = () => Effect.asVoid(Deferred.succeed(searching, undefined))
      const fiber = yield* Effect.fork(glob.invoke({ pattern }).pipe(TestWorkspace.inFolder(workdir, progress)))
      yield* Deferred.await(searching)
      yield* TestClock.adjust("20 seconds")
      expect(yield* Fiber.join(fiber)).toBe("[nothing found]\n[stopped after 20 seconds; narrow the search]")
    })
  )
})
