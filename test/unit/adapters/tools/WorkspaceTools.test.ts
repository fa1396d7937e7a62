import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeExec from "../../../../src/adapters/node/NodeExec.js"
import * as WorkspaceTools from "../../../../src/adapters/tools/WorkspaceTools.js"
import * as Toolbox from "../../../../src/services/Toolbox.js"
import * as TestWorkspace from "./TestWorkspace.js"

describe("WorkspaceTools", () => {
  it.effect("declare their access, their kind and the schema of their input", () =>
    Effect.gen(function* () {
      const { tools } = yield* Toolbox.make(...WorkspaceTools.all)
      const access = Array.from(tools.values(), (tool) => `${tool.name} ${tool.access} ${tool.kind}`)
      expect(access).toEqual([
        "read read read",
        "list read read",
        "glob read search",
        "grep read search",
        "write write edit",
        "edit write edit",
        "shell write execute"
      ])
      for (const tool of tools.values()) {
        expect(tool.inputSchema).toMatchObject({ type: "object" })
        expect(tool.description.length).toBeLessThan(400)
      }
    }).pipe(Effect.provide(NodeExec.layer()))
  )

  it.effect("`readOnly` has only tools with read access, and `files` has no shell", () =>
    Effect.sync(() => {
      expect(WorkspaceTools.readOnly.every(({ access }) => access === "read")).toBe(true)
      const names: ReadonlyArray<string> = WorkspaceTools.files.map(({ name }) => name)
      expect(names).toEqual(["read", "list", "glob", "grep", "write", "edit"])
    })
  )

  it.effect("give each call a title and its locations", () =>
    Effect.gen(function* () {
      const { tools } = yield* Toolbox.make(...WorkspaceTools.all)
      const shown = (name: string, input: unknown) =>
        Effect.gen(function* () {
          const prepared = yield* tools.get(name)?.prepare(JSON.stringify(input)) ?? Effect.die(name)
          return [prepared.title, ...prepared.locations.map(({ line, path }) => `${path}:${line ?? ""}`)]
        }).pipe(TestWorkspace.inFolder("/"))
      expect(yield* shown("read", { path: "a.ts", offset: 3 })).toEqual(["Read a.ts", "a.ts:3"])
      expect(yield* shown("list", {})).toEqual(["List .", ".:"])
      expect(yield* shown("glob", { pattern: "*.ts" })).toEqual(["Find *.ts in .", ".:"])
      expect(yield* shown("grep", { pattern: "x", path: "src" })).toEqual(["Search src for x", "src:"])
      expect(yield* shown("write", { path: "a.ts", content: "" })).toEqual(["Write a.ts", "a.ts:"])
      expect(yield* shown("edit", { path: "a.ts", oldText: "a", newText: "b" })).toEqual(["Edit a.ts", "a.ts:"])
      expect(yield* shown("shell", { command: "ls -l" })).toEqual(["ls -l"])
    }).pipe(Effect.provide(NodeExec.layer()))
  )

  it.effect("locate, show and open the same path when it is written as a JSON string", () =>
    Effect.gen(function* () {
      const { tools } = yield* Toolbox.make(...WorkspaceTools.files)
      const rest = { pattern: "x", content: "", oldText: "a", newText: "b" }
      const input = { ...rest, path: '"a/\\u002e\\u002e/b\\u202e"' }
      const prepared = yield* Effect.forEach(tools.values(), ({ prepare }) => prepare(JSON.stringify(input)))
      expect(new Set(prepared.flatMap(({ locations }) => locations.map(({ path }) => path)))).toEqual(
        new Set(["a/../b\u202e"])
      )
      for (const { title } of prepared) expect(title).toContain('"a/../b\\u202e"')
    }).pipe(TestWorkspace.inFolder("/"))
  )

  it.scopedLive("give calls on the same file the same key, and searches none", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const { tools } = yield* Toolbox.make(...WorkspaceTools.files)
      const key = (name: string, input: unknown) =>
        Effect.gen(function* () {
          const tool = tools.get(name)
          if (tool === undefined) return "no such tool"
          return (yield* tool.prepare(JSON.stringify(input))).key
        }).pipe(TestWorkspace.inFolder(workdir))
      const onFile = yield* Effect.all([
        key("write", { path: "a/x.txt", content: "" }),
        key("edit", { path: `${workdir}/a/x.txt`, oldText: "a", newText: "b" }),
        key("read", { path: "./a/b/../x.txt" })
      ])
      expect(new Set(onFile)).toEqual(new Set(["file:x.txt"]))
      expect(yield* key("grep", { pattern: "x" })).toBeNull()
      expect(yield* key("list", {})).toBeNull()
      expect(yield* key("glob", { pattern: "x" })).toBeNull()
    })
  )
})
