import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { link, open, readFile, readdir, readlink, symlink } from "node:fs/promises"
import { Worker } from "node:worker_threads"
import * as NodeExec from "../../../../src/adapters/node/NodeExec.js"
import { edit } from "../../../../src/adapters/tools/EditTool.js"
import { bytesOf } from "../../../../src/adapters/tools/FileContent.js"
import { replaceFile } from "../../../../src/adapters/tools/FileReplacement.js"
import { glob } from "../../../../src/adapters/tools/GlobTool.js"
import { grep } from "../../../../src/adapters/tools/GrepTool.js"
import { list } from "../../../../src/adapters/tools/ListTool.js"
import { read } from "../../../../src/adapters/tools/ReadTool.js"
import * as Files from "../../../../src/adapters/tools/WorkspaceFiles.js"
import { shell } from "../../../../src/adapters/tools/ShellTool.js"
import { write } from "../../../../src/adapters/tools/WriteTool.js"
import * as TestWorkspace from "./TestWorkspace.js"

/** Calls every tool on one path; returns the error with which each fails. */
const refusals = (workdir: string | null, path: string) =>
  Effect.all({
    read: Effect.flip(read.invoke({ path })),
    list: Effect.flip(list.invoke({ path })),
    glob: Effect.flip(glob.invoke({ path, pattern: "**" })),
    grep: Effect.flip(grep.invoke({ path, pattern: "." })),
    write: Effect.flip(write.invoke({ path, content: "new" })),
    edit: Effect.flip(edit.invoke({ path, oldText: "secret", newText: "new" }))
  }).pipe(TestWorkspace.inFolder(workdir))

const descriptorPaths = process.platform === "linux" ? [true] : []

/** Swaps the folder `name` with a link to `target`, again and again, until the scope ends. */
const swapping = (workdir: string, name: string, target: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const program = `
        const { workerData } = require("node:worker_threads")
        const { renameSync, symlinkSync } = require("node:fs")
        const { stop, folder, target } = workerData
        const link = folder + ".link", aside = folder + ".aside"
        // A tool may make the folder anew while it is aside.
        let made = 0
        const move = (from, to) => {
          for (;;) {
            try { return renameSync(from, to) } catch { renameSync(to, folder + ".made" + made++) }
          }
        }
        symlinkSync(target, link)
        while (Atomics.load(stop, 0) === 0) {
          move(folder, aside); move(link, folder)
          move(folder, link); move(aside, folder)
        }`
      const stop = new Int32Array(new SharedArrayBuffer(4))
      const worker = new Worker(program, { eval: true, workerData: { stop, folder: `${workdir}/${name}`, target } })
      const ended = new Promise((resolve) => worker.once("exit", resolve))
      await new Promise((resolve) => worker.once("online", resolve))
      return { stop, ended }
    }),
    ({ ended, stop }) =>
      Effect.promise(() => {
        Atomics.store(stop, 0, 1)
        return ended
      })
  )

describe("confinement to the workspace", () => {
  it.scopedLive("paths that lead out or are invalid are refused by every tool", () =>
    Effect.gen(function* () {
      const { base, outside, workdir } = yield* TestWorkspace.make({ "a.txt": "a" })
      const cases: ReadonlyArray<readonly [string, string]> = [
        ["../outside/secret.txt", "outside"],
        ["a/../../outside/secret.txt", "outside"],
        ["..", "outside"],
        ["/etc/passwd", "outside"],
        [`${outside}/secret.txt`, "outside"],
        [`${base}/ws-sibling`, "outside"],
        ["a.txt\0.png", "nul-byte"],
        ['"a.txt\\u0000.png"', "nul-byte"],
        ['"..\\u002foutside"', "outside"],
        ["a\ud800", "lone-surrogate"]
      ]
      for (const [path, reason] of cases) {
        for (const refused of Object.values(yield* refusals(workdir, path))) {
          expect(refused).toMatchObject({ _tag: "PathRefused", reason })
        }
      }
    })
  )

  it.scopedLive("a Windows path is a plain name on other systems", () =>
    Effect.gen(function* () {
      const { outside, workdir } = yield* TestWorkspace.make()
      const path = "C:\\outside\\..\\..\\x"
      const written = yield* write.invoke({ path, content: "x" }).pipe(TestWorkspace.inFolder(workdir))
      expect(written.text).toContain("Created")
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual([path])
      expect(yield* TestWorkspace.namesIn(outside)).toEqual(["secret.txt"])
    })
  )

  it.scopedLive("links that lead out are refused by every tool, and no message says where they lead", () =>
    Effect.gen(function* () {
      const { at, base, outside, workdir } = yield* TestWorkspace.make({ "a/b.txt": "b" })
      yield* Effect.promise(async () => {
        await symlink(`${outside}/secret.txt`, at("file"))
        await symlink("../outside", at("folder"))
        await symlink("folder/secret.txt", at("twice"))
        await symlink("/dev/zero", at("zero"))
        await symlink("/proc/self/environ", at("environ"))
        await symlink("/proc/self/root", at("root"))
      })
      for (const path of ["file", "folder", "folder/secret.txt", "twice", "zero", "environ", "root", "root/etc"]) {
        for (const refused of Object.values(yield* refusals(workdir, path))) {
          expect(refused).toMatchObject({ _tag: "FileRefused", reason: "outside", path })
          expect(String(refused)).not.toContain(base)
        }
      }
      expect(yield* TestWorkspace.namesIn(outside)).toEqual(["secret.txt"])
      expect(yield* Effect.promise(() => readFile(`${outside}/secret.txt`, "utf8"))).toBe("secret\n")
      const found = yield* grep.invoke({ pattern: "secret|b" }).pipe(TestWorkspace.inFolder(workdir))
      expect(found).toBe("a/b.txt:1: b")
    })
  )

  it.scopedLive("links to places inside are followed for reading", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a/b.txt": "b" })
      yield* Effect.promise(async () => {
        await symlink("b.txt", at("a/file"))
        await symlink(at("a"), at("folder"))
      })
      const results = yield* Effect.all([
        read.invoke({ path: "folder/file" }),
        list.invoke({ path: "folder" }),
        glob.invoke({ path: "folder", pattern: "*" }),
        grep.invoke({ path: "folder/file", pattern: "b" })
      ]).pipe(TestWorkspace.inFolder(workdir))
      expect(results).toEqual([
        "b",
        "folder/b.txt\nfolder/file (link)",
        "folder/b.txt\nfolder/file",
        "folder/file:1: b"
      ])
    })
  )

  it.scopedLive("no tool hangs on a pipe, and a hard link may be read but not changed", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "a.txt": "secret" })
      yield* TestWorkspace.makePipe(at("pipe"))
      yield* Effect.promise(async () => {
        await symlink("pipe", at("to-pipe"))
        await link(`${outside}/secret.txt`, at("hard.txt"))
      })
      for (const path of ["pipe", "to-pipe"]) {
        for (const refused of Object.values(yield* refusals(workdir, path))) {
          expect(refused).toMatchObject({ _tag: "FileRefused", reason: "not-a-file" })
        }
      }
      const call = Effect.all({
        read: read.invoke({ path: "hard.txt" }),
        grep: grep.invoke({ pattern: "secret" }),
        edit: Effect.flip(edit.invoke({ path: "hard.txt", oldText: "secret", newText: "x" }))
      })
      const { edit: refused, grep: found, read: text } = yield* call.pipe(TestWorkspace.inFolder(workdir))
      expect(text).toBe("secret\n")
      expect(found).toBe("a.txt:1: secret\nhard.txt:1: secret")
      expect(refused).toMatchObject({ reason: "hard-linked" })
    })
  )

  it.live("without a workspace every tool refuses", () =>
    Effect.gen(function* () {
      for (const refused of Object.values(yield* refusals(null, "a"))) {
        expect(refused).toMatchObject({ _tag: "FileRefused", reason: "no-workspace" })
      }
      const run = Effect.flip(shell.invoke({ command: "true" })).pipe(TestWorkspace.inFolder(null))
      expect(yield* Effect.provide(run, NodeExec.layer())).toMatchObject({ reason: "no-workspace" })
    })
  )

  it.live("a workspace that is missing or is a file is refused", () =>
    Effect.gen(function* () {
      const at = (workdir: string) => Effect.flip(list.invoke({})).pipe(TestWorkspace.inFolder(workdir))
      const gone = yield* at("/nowhere/at/all")
      expect(gone).toMatchObject({ _tag: "FileRefused", reason: "not-found", path: "." })
      expect(gone.message).toBe("Cannot use .: the session's folder is gone")
      expect(yield* at(process.execPath)).toMatchObject({ _tag: "FileRefused", reason: "not-a-folder", path: "." })
    })
  )

  it.scopedLive("even without descriptor paths, links that lead out are refused and files inside can be replaced", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "dir/a.txt": "old" })
      yield* Effect.promise(() => symlink(outside, at("out")))
      const workspace = yield* Files.open(workdir, false)
      const replace = (path: string) =>
        Effect.gen(function* () {
          return yield* replaceFile(workspace, yield* Files.locate(workspace, path), yield* bytesOf(path, "new"))
        })
      expect(yield* replace("dir/a.txt")).toEqual({ isNew: false })
      expect(yield* replace("dir/b/c.txt")).toEqual({ isNew: true })
      expect(yield* Effect.promise(() => readFile(at("dir/b/c.txt"), "utf8"))).toBe("new")
      for (const path of ["out/secret.txt", "out/new.txt", "out/new/new.txt"]) {
        expect(yield* Effect.flip(replace(path))).toMatchObject({ _tag: "FileRefused", reason: "outside" })
      }
      const place = yield* Files.locate(workspace, "out/secret.txt")
      const refused = yield* Effect.flip(Files.openPlace(workspace, place))
      expect(refused).toMatchObject({ _tag: "FileRefused", reason: "outside", path: "out/secret.txt" })
      expect(yield* TestWorkspace.namesIn(outside)).toEqual(["secret.txt"])
    })
  )

  it.scopedLive("the opened file is judged, not the one at its path by then", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "dir/secret.txt": "inside" })
      const handle = yield* Effect.acquireRelease(
        Effect.promise(() => open(`${outside}/secret.txt`)),
        (opened) => Effect.promise(() => opened.close())
      )
      const stats = yield* Effect.promise(() => handle.stat({ bigint: true }))
      for (const hasDescriptorPaths of [...descriptorPaths, false]) {
        const workspace = yield* Files.open(workdir, hasDescriptorPaths)
        const opened = { handle, stats, path: at("dir/secret.txt") }
        const refused = yield* Effect.flip(Files.whereIs(workspace, opened, "dir/secret.txt"))
        expect(refused).toMatchObject({ _tag: "FileRefused", reason: "outside", path: "dir/secret.txt" })
      }
    })
  )

  // If the system has no paths through descriptors, neither of these is guaranteed.
  if (process.platform === "linux") {
    it.live("files of the kernel are refused, even in the workspace", () =>
      Effect.gen(function* () {
        for (const path of ["proc/self/environ", "proc/self/status", "sys/kernel/mm/transparent_hugepage/enabled"]) {
          const refused = yield* Effect.flip(read.invoke({ path })).pipe(TestWorkspace.inFolder("/"))
          expect(refused).toMatchObject({ _tag: "FileRefused", path })
          expect(["pseudo", "not-found"]).toContain(refused._tag === "FileRefused" ? refused.reason : "")
        }
      })
    )

    it.live("a file that was opened and is refused is closed again", () =>
      Effect.gen(function* () {
        const refused = Effect.flip(read.invoke({ path: "proc/self/status" })).pipe(TestWorkspace.inFolder("/"))
        for (let time = 0; time < 20; time++) expect(yield* refused).toMatchObject({ reason: "pseudo" })
        const opened = yield* Effect.promise(async () => {
          const names = await readdir("/proc/self/fd")
          return Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")))
        })
        expect(opened.filter((path) => path === `/proc/${process.pid}/status`)).toEqual([])
      })
    )

    it.scopedLive("while a folder is swapped with a link, nothing outside is read, written or created", () =>
      Effect.gen(function* () {
        const { outside, workdir } = yield* TestWorkspace.make({ "dir/secret.txt": "inside" })
        const workspace = yield* Files.open(workdir)
        const place = (path: string) => Files.locate(workspace, path)
        const bytes = yield* bytesOf("x", "written")
        const readIt = Effect.gen(function* () {
          const file = yield* Effect.flatMap(Files.openPlace(workspace, yield* place("dir/secret.txt")), Files.asFile)
          const text = yield* Effect.promise(() => file.handle.readFile("utf8"))
          expect(text).toBe("inside")
          return "read"
        }).pipe(Effect.scoped)
        const writeIt = Effect.gen(function* () {
          yield* replaceFile(workspace, yield* place("dir/new/more.txt"), bytes)
          return "written"
        })
        const counts = new Map<string, number>()
        const count = (outcome: string) => Effect.sync(() => counts.set(outcome, (counts.get(outcome) ?? 0) + 1))
        yield* swapping(workdir, "dir", outside)
        const attempt = (effect: Effect.Effect<string, { readonly _tag: string }>) =>
          Effect.flatMap(Effect.merge(Effect.mapError(effect, ({ _tag }) => _tag)), count)
        yield* Effect.zipRight(attempt(readIt), attempt(writeIt)).pipe(Effect.repeatN(150))
        expect(yield* TestWorkspace.namesIn(outside)).toEqual(["secret.txt"])
        expect(yield* Effect.promise(() => readFile(`${outside}/secret.txt`, "utf8"))).toBe("secret\n")
        expect(counts.get("read") ?? 0).toBeGreaterThan(0)
        expect(counts.get("FileRefused") ?? 0).toBeGreaterThan(0)
      })
    )
  }
})
