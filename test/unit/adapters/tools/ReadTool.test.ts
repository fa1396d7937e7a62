import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { truncate } from "node:fs/promises"
import { read } from "../../../../src/adapters/tools/ReadTool.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import * as TestWorkspace from "./TestWorkspace.js"

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("")

describe("read", () => {
  it.scopedLive("returns a whole file unchanged, with or without a final line feed", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.txt": "x\n\ty \r\nz\n", "b.txt": "x\ny", "src/ä.txt": "ü" })
      const text = (path: string) => read.invoke({ path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* text("a.txt")).toBe("x\n\ty \r\nz\n")
      expect(yield* text("b.txt")).toBe("x\ny")
      expect(yield* text("./src/../src/ä.txt")).toBe("ü")
      expect(yield* text(`${workdir}/b.txt`)).toBe("x\ny")
    })
  )

  it.scopedLive("returns a part of the lines and says where to continue", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a.txt": numbered(5) })
      const text = (offset: number, limit: number) =>
        read.invoke({ path: "a.txt", offset, limit }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* text(1, 2)).toBe("line 1\nline 2\n[lines 1 to 2; more follow, continue with offset 3]")
      expect(yield* text(3, 2)).toBe("line 3\nline 4\n[lines 3 to 4; more follow, continue with offset 5]")
      expect(yield* text(5, 2)).toBe("line 5\n[lines 5 to 5; end of file]")
      expect(yield* text(1, 5)).toBe(numbered(5))
      expect(yield* Effect.flip(text(6, 1))).toMatchObject({
        _tag: "OffsetPastEnd",
        path: "a.txt",
        offset: 6,
        lines: 5
      })
    })
  )

  it.scopedLive("returns every line once if its offsets are followed, whichever limit cut", () =>
    Effect.gen(function* () {
      const content = Array.from({ length: 6000 }, (_, index) => `${index} ${"é".repeat(index % 50)}\n`).join("")
      const { workdir } = yield* TestWorkspace.make({ "a.txt": content })
      let all = ""
      let offset: number | undefined = 1
      while (offset !== undefined) {
        const part: string = TestWorkspace.textOf(
          yield* read.invoke({ path: "a.txt", offset }).pipe(TestWorkspace.inFolder(workdir))
        )
        expect(part.length).toBeLessThan(29_000)
        const [note = "", next] =
          /\[lines \d+ to \d+; (?:more follow, continue with offset (\d+)\]|end of file\])$/.exec(part) ?? []
        expect(note).not.toBe("")
        all += part.slice(0, -note.length)
        offset = next === undefined ? undefined : Number(next)
      }
      expect(all).toBe(content)
    })
  )

  it.scopedLive("cuts a long line, in bounded memory", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({
        "a.txt": `${"x".repeat(3_000_000)}\nend\n`,
        "sparse.txt": "x"
      })
      const text = yield* read.invoke({ path: "a.txt" }).pipe(TestWorkspace.inFolder(workdir))
      expect(text).toBe(`${"x".repeat(2000)} [line cut]\nend\n`)
      yield* Effect.promise(() => truncate(at("sparse.txt"), 50_000_000_000))
      const sparse = yield* Effect.flip(read.invoke({ path: "sparse.txt" }).pipe(TestWorkspace.inFolder(workdir)))
      expect(sparse).toMatchObject({ _tag: "FileRefused", reason: "binary" })
    })
  )

  it.scopedLive("says that a file is empty, binary, a folder, or missing", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({
        "empty.txt": "",
        "image.png": new Uint8Array([137, 80, 78, 71, 0, 1]),
        "latin1.txt": new Uint8Array([0x61, 0xe4, 0x62]),
        "cut.txt": new Uint8Array([0x61, 0xe2, 0x82]),
        "bom.txt": "\ufeffx"
      })
      yield* TestWorkspace.makePipe(at("pipe"))
      const call = (path: string) => read.invoke({ path }).pipe(TestWorkspace.inFolder(workdir))
      const reason = (path: string) => Effect.flip(call(path))
      expect(yield* call("empty.txt")).toBe("[the file is empty]")
      expect(yield* call("latin1.txt")).toBe("a\ufffdb")
      expect(yield* call("cut.txt")).toBe("a\ufffd")
      expect(yield* call("bom.txt")).toBe("x")
      expect(yield* reason("image.png")).toMatchObject({ reason: "binary", path: "image.png" })
      expect(yield* reason(".")).toMatchObject({ reason: "not-a-file", path: "." })
      expect(yield* reason("pipe")).toMatchObject({ reason: "not-a-file", path: "pipe" })
      expect(yield* reason("none.txt")).toMatchObject({ reason: "not-found", path: "none.txt" })
      expect(yield* reason("empty.txt/x")).toMatchObject({ reason: "not-a-folder" })
      expect(yield* reason(`a/${"n".repeat(300)}`)).toMatchObject({ _tag: "FileRefused" })
    })
  )

  it.scopedLive("returns a picture as a file, recognized by its content, with a text that describes it", () =>
    Effect.gen(function* () {
      const files = Object.entries(pictures).map(([mediaType, make]) => [mediaType, make(300, 40)] as const)
      const { workdir } = yield* TestWorkspace.make(
        Object.fromEntries(files.map(([mediaType, content]) => [`sub/${mediaType.replace("/", ".")}.txt`, content]))
      )
      for (const [mediaType, content] of files) {
        const name = `${mediaType.replace("/", ".")}.txt`
        const found = yield* read.invoke({ path: `sub/${name}`, offset: 7 }).pipe(TestWorkspace.inFolder(workdir))
        if (typeof found === "string") return expect.fail(found)
        expect(found.text).toBe(`sub/${name} is a picture: ${mediaType}, 300 x 40 pixels, ${content.length} bytes`)
        expect(found.files?.map((file) => ({ ...file, content: Array.from(file.content) }))).toEqual([
          { name, mediaType, content: Array.from(content) }
        ])
      }
    })
  )

  it.scopedLive("returns no picture that is too large for providers, and no text as a picture", () =>
    Effect.gen(function* () {
      const png = (bytes: number) => {
        const content = new Uint8Array(bytes)
        content.set(pictures["image/png"](1, 1))
        return content
      }
      const most = (5 * 1024 * 1024 * 3) / 4
      const { workdir } = yield* TestWorkspace.make({
        "most.png": png(most),
        "more.png": png(most + 1),
        "about.txt": "GIF89a is what a GIF begins with\n"
      })
      const call = (path: string) => read.invoke({ path }).pipe(TestWorkspace.inFolder(workdir))
      expect(yield* call("most.png")).toMatchObject({ files: [{ mediaType: "image/png" }] })
      expect(yield* Effect.flip(call("more.png"))).toMatchObject({ reason: "too-large", path: "more.png" })
      expect(yield* call("about.txt")).toBe("GIF89a is what a GIF begins with\n")
    })
  )

  it.effect("refuses input of the wrong shape", () =>
    Effect.gen(function* () {
      for (const input of ["{}", '{"path":1}', '{"path":"a","offset":0}', '{"path":"a","limit":5000}', "["]) {
        const refused = yield* Effect.flip(read.prepare(input)).pipe(TestWorkspace.inFolder("/nowhere"))
        expect(refused).toMatchObject({ _tag: "InputInvalid", tool: "read" })
      }
    })
  )

  it.scopedLive("reads a name with a line feed or an escape as it was listed", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ "a\n\u001b[2Jb": "odd" })
      expect(yield* read.invoke({ path: '"a\\n\\u001b[2Jb"' }).pipe(TestWorkspace.inFolder(workdir))).toBe("odd")
    })
  )

  it.effect("gives every spelling of a path the same key", () =>
    Effect.gen(function* () {
      const key = (path: string) =>
        Effect.map(read.prepare(JSON.stringify({ path })), (prepared) => prepared.key).pipe(
          TestWorkspace.inFolder("/ws")
        )
      const keys = yield* Effect.forEach(["src/a.ts", "./src/x/../A.ts", "/ws/src/a.ts", '"src/a.ts"'], key)
      expect(new Set(keys).size).toBe(1)
      expect(yield* key("src/b.ts")).not.toBe(keys[0])
    })
  )
})
