import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdir, symlink, writeFile } from "node:fs/promises"
import { list } from "../../../../src/adapters/tools/ListTool.js"
import { read } from "../../../../src/adapters/tools/ReadTool.js"
import * as TestWorkspace from "./TestWorkspace.js"

describe("list", () => {
  it.scopedLive("returns paths from the workspace in order, and marks all but regular files", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "b.txt": "", "a/x": "", ".env": "", "a b": "" })
      yield* Effect.promise(() => symlink(outside, at("out")))
      yield* TestWorkspace.makePipe(at("pipe"))
      const call = (path?: string) =>
        list.invoke(path === undefined ? {} : { path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call()).toBe(".env\na/\na b\nb.txt\nout (link)\npipe (not a regular file)")
      expect(yield* call("a")).toBe("a/x")
      expect(yield* call("./a/..")).toBe(yield* call())
      expect(yield* Effect.flip(call("b.txt"))).toMatchObject({ _tag: "FileRefused", reason: "not-a-folder" })
      expect(yield* Effect.flip(call("none"))).toMatchObject({ reason: "not-found", path: "none" })
      yield* Effect.promise(() => mkdir(at("empty")))
      expect(yield* call("empty")).toBe("[the folder is empty]")
    })
  )

  it.scopedLive("lists names that can be read as listed, or says that they cannot be used", () =>
    Effect.gen(function* () {
      const names = [
        "\n",
        "a\u001b[31m",
        "\u202ecod.exe",
        '"quoted"',
        " space ",
        "back\\slash",
        "é",
        "e\u0301",
        "\ufffd",
        "tab\t"
      ]
      const { at, workdir } = yield* TestWorkspace.make(Object.fromEntries(names.map((name) => [name, `<${name}>`])))
      const listed = (yield* list.invoke({}).pipe(TestWorkspace.inFolder(workdir))).split("\n")
      expect(listed.length).toBe(names.length)
      expect(listed.join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      const contents = yield* Effect.forEach(listed, (path) => read.invoke({ path })).pipe(
        TestWorkspace.inFolder(workdir)
      )
      expect(contents.map(TestWorkspace.textOf).sort()).toEqual(names.map((name) => `<${name}>`).sort())

      yield* Effect.promise(() => writeFile(Buffer.concat([Buffer.from(at("z")), Buffer.from([0xff])]), ""))
      const again = yield* list.invoke({}).pipe(TestWorkspace.inFolder(workdir))
      expect(again).toContain("z\ufffd (name is not valid UTF-8, cannot be used)")
    })
  )

  it.scopedLive("limits its results and says so", () =>
    Effect.gen(function* () {
      const files = Array.from({ length: 1003 }, (_, index) => [`${index}.txt`, ""] as const)
      const { workdir } = yield* TestWorkspace.make(Object.fromEntries(files))
      const listed = (yield* list.invoke({}).pipe(TestWorkspace.inFolder(workdir))).split("\n")
      expect(listed.length).toBe(1001)
      expect(listed.at(-1)).toBe("[there are more than 1000; use glob]")
    })
  )
})
