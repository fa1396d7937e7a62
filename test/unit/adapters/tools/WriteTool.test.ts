import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmod, chown, link, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { write } from "../../../../src/adapters/tools/WriteTool.js"
import * as TestWorkspace from "./TestWorkspace.js"

const textOf = (path: string) => Effect.promise(() => readFile(path, "utf8"))

describe("write", () => {
  it.scopedLive("creates a file and the folders above it, then replaces it, and leaves nothing else", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make()
      const call = (content: string) =>
        write.invoke({ path: "a/b/c.txt", content }).pipe(TestWorkspace.inFolder(workdir))
      expect((yield* call("ü\n")).text).toBe("Created a/b/c.txt (3 bytes)")
      expect(yield* textOf(at("a/b/c.txt"))).toBe("ü\n")
      expect((yield* call("")).text).toBe("Replaced a/b/c.txt (0 bytes)")
      expect(yield* textOf(at("a/b/c.txt"))).toBe("")
      expect(yield* TestWorkspace.namesIn(at("a/b"))).toEqual(["c.txt"])
    })
  )

  it.scopedLive("shows people the file before and after, if both are small texts", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "binary.bin": new Uint8Array([1, 0]) })
      const call = (path: string, content: string) =>
        write.invoke({ path, content }).pipe(
          TestWorkspace.inFolder(workdir),
          Effect.map(({ diffs }) => diffs)
        )
      expect(yield* call("a/b.txt", "ü\n")).toEqual([{ path: "a/b.txt", before: null, after: "ü\n" }])
      expect(yield* call("./a/b.txt", "")).toEqual([{ path: "a/b.txt", before: "ü\n", after: "" }])
      expect(yield* call("binary.bin", "x")).toEqual([])
      const large = "x".repeat(64 * 1024 + 1)
      expect((yield* call("large.txt", large))?.length).toBe(0)
    })
  )

  it.scopedLive("keeps mode and owner, and gives a new file the usual mode", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "run.sh": "old" })
      const isRoot = process.getuid?.() === 0
      yield* Effect.promise(async () => {
        if (isRoot) await chown(at("run.sh"), 1234, 2345)
        await chmod(at("run.sh"), 0o1751)
      })
      const before = yield* Effect.promise(() => stat(at("run.sh")))
      yield* write.invoke({ path: "run.sh", content: "new" }).pipe(TestWorkspace.inFolder(workdir))
      yield* write.invoke({ path: "new.sh", content: "new" }).pipe(TestWorkspace.inFolder(workdir))
      const after = yield* Effect.promise(() => stat(at("run.sh")))
      expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid])
      expect(after.ino).not.toBe(before.ino)
      yield* Effect.promise(() => writeFile(at("usual.sh"), ""))
      const [made, usual] = yield* Effect.promise(() => Promise.all([stat(at("new.sh")), stat(at("usual.sh"))]))
      expect(made.mode).toBe(usual.mode)
    })
  )

  it.scopedLive("drops set-user-id and set-group-id, and keeps the sticky bit", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "run.sh": "old" })
      yield* Effect.promise(() => chmod(at("run.sh"), 0o7751))
      yield* write.invoke({ path: "run.sh", content: "new" }).pipe(TestWorkspace.inFolder(workdir))
      expect((yield* Effect.promise(() => stat(at("run.sh")))).mode & 0o7777).toBe(0o1751)
    })
  )

  it.scopedLive("keeps the byte order mark and the line endings of the file that it replaces, and says so", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({
        "crlf.txt": "a\r\nb\r\n",
        "lf.txt": "a\nb\n",
        "mixed.txt": "a\r\nb\n",
        "one.txt": "a",
        "bom.txt": "\ufeffa\r\n",
        "binary.bin": new Uint8Array([13, 10, 0])
      })
      const call = (path: string, content: string) =>
        write.invoke({ path, content }).pipe(
          TestWorkspace.inFolder(workdir),
          Effect.flatMap(({ text }) => Effect.map(textOf(at(path)), (after) => [after, text]))
        )
      expect(yield* call("crlf.txt", "x\ny\r\nz")).toEqual([
        "x\r\ny\r\nz",
        "Replaced crlf.txt (7 bytes, keeping its CRLF line endings)"
      ])
      expect(yield* call("lf.txt", "x\r\ny\rz\r\n")).toEqual([
        "x\ny\rz\n",
        "Replaced lf.txt (6 bytes, keeping its LF line endings)"
      ])
      expect(yield* call("mixed.txt", "x\ny\r\n")).toEqual(["x\ny\r\n", "Replaced mixed.txt (5 bytes)"])
      expect(yield* call("one.txt", "x\r\ny\n")).toEqual(["x\r\ny\n", "Replaced one.txt (5 bytes)"])
      expect(yield* call("bom.txt", "x\n")).toEqual([
        "\ufeffx\r\n",
        "Replaced bom.txt (6 bytes, keeping its byte order mark and CRLF line endings)"
      ])
      expect((yield* call("bom.txt", "\ufeffx"))[0]).toBe("\ufeffx")
      expect((yield* call("binary.bin", "x\n"))[0]).toBe("x\n")
    })
  )

  it.scopedLive("refuses links, folders and hard links, and leaves them as they were", () =>
    Effect.gen(function* () {
      const { at, outside, workdir } = yield* TestWorkspace.make({ "file.txt": "old", "twin.txt": "old" })
      yield* Effect.promise(async () => {
        await mkdir(at("folder"))
        await link(at("twin.txt"), at("twin2.txt"))
        await link(`${outside}/secret.txt`, at("stolen.txt"))
        await symlink(`${outside}/secret.txt`, at("out.txt"))
        await symlink(`${outside}/new.txt`, at("dangling.txt"))
        await symlink("nowhere.txt", at("nothing.txt"))
        await symlink(outside, at("out"))
        await symlink(`${outside}/none`, at("gone"))
        await symlink("loop", at("loop"))
      })
      const reason = (path: string) =>
        Effect.flip(write.invoke({ path, content: "new" })).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* reason("folder")).toMatchObject({ _tag: "FileRefused", reason: "not-a-file", path: "folder" })
      expect(yield* reason("twin.txt")).toMatchObject({ reason: "hard-linked" })
      expect(yield* reason("stolen.txt")).toMatchObject({ reason: "hard-linked" })
      expect(yield* reason("out.txt")).toMatchObject({ reason: "outside" })
      expect(yield* reason("dangling.txt")).toMatchObject({ reason: "link" })
      expect(yield* reason("nothing.txt")).toMatchObject({ reason: "link" })
      expect(yield* reason("out/new.txt")).toMatchObject({ reason: "outside" })
      expect(yield* reason("out/a/b/new.txt")).toMatchObject({ reason: "outside" })
      expect(yield* reason("gone/new.txt")).toMatchObject({ reason: "link" })
      expect(yield* reason("loop/new.txt")).toMatchObject({ reason: "link" })
      expect(yield* reason("file.txt/new.txt")).toMatchObject({ reason: "not-a-folder" })
      expect(yield* reason(".")).toMatchObject({ _tag: "FileRefused" })
      expect(yield* TestWorkspace.namesIn(outside)).toEqual(["secret.txt"])
      expect(yield* textOf(`${outside}/secret.txt`)).toBe("secret\n")
      expect(yield* textOf(at("twin2.txt"))).toBe("old")
      expect((yield* TestWorkspace.namesIn(workdir)).filter((name) => name.startsWith(".skein"))).toEqual([])
    })
  )

  it.scopedLive("writes through a link to a place inside, and keeps the link", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "real/AGENTS.md": "old" })
      yield* Effect.promise(async () => {
        await symlink("real/AGENTS.md", at("CLAUDE.md"))
        await symlink("real", at("linked"))
      })
      yield* write.invoke({ path: "CLAUDE.md", content: "new" }).pipe(TestWorkspace.inFolder(workdir))
      yield* write.invoke({ path: "linked/sub/more.md", content: "more" }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* textOf(at("real/AGENTS.md"))).toBe("new")
      expect(yield* textOf(at("real/sub/more.md"))).toBe("more")
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual(["CLAUDE.md", "linked", "real"])
    })
  )

  it.scopedLive("refuses text that is invalid Unicode, and content that is too large", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const refused = yield* Effect.flip(write.invoke({ path: "a.txt", content: "a\ud800b" })).pipe(
        TestWorkspace.inFolder(workdir)
      )
      expect(refused).toMatchObject({ _tag: "FileRefused", reason: "not-text" })
      const large = write.invoke({ path: "a.txt", content: "x".repeat(10 * 1024 * 1024 + 1) })
      expect(yield* Effect.flip(large).pipe(TestWorkspace.inFolder(workdir))).toMatchObject({ reason: "too-large" })
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual([])
    })
  )

  it.scopedLive("works in a workspace that is reached by a link, under either of its names", () =>
    Effect.gen(function* () {
      const { at, base, workdir } = yield* TestWorkspace.make()
      yield* Effect.promise(() => symlink(workdir, `${base}/alias`))
      const call = (path: string) => write.invoke({ path, content: path }).pipe(TestWorkspace.inFolder(`${base}/alias`))
      yield* call("a.txt")
      yield* call(`${base}/alias/b.txt`)
      yield* call(at("c.txt"))
      expect(yield* TestWorkspace.namesIn(workdir)).toEqual(["a.txt", "b.txt", "c.txt"])
      expect(yield* textOf(at("c.txt"))).toBe(at("c.txt"))
    })
  )
})
