/** The instructions of a folder, from real files. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdir, rename, symlink } from "node:fs/promises"
import * as Instructions from "../../../../src/adapters/cli/Instructions.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"

/** Writes files to a repository; reads the instructions for its folder `web/app`. */
const inRepository = (files: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.gen(function* () {
    const workspace = yield* TestWorkspace.make({ ".git/HEAD": "", "web/app/main.ts": "", ...files })
    return { ...workspace, read: Instructions.read(workspace.at("web/app")) }
  })

const notes = (found: Instructions.Instructions) => found.map(({ note, printed }) => [printed, note])
const sizes = (found: Instructions.Instructions) => found.map(({ text }) => text?.length ?? null)

describe("Instructions", () => {
  it.scoped("are those of the folder and of each above it, the outermost first, up to the root of the repository", () =>
    Effect.gen(function* () {
      const { at, base, read } = yield* inRepository({
        "AGENTS.md": "root\n",
        "web/AGENTS.md": " \n",
        "web/app/AGENTS.md": "app",
        "../AGENTS.md": "above the repository"
      })
      const found = yield* read
      expect(found.map(({ text }) => text)).toEqual(["root\n", "app"])
      expect(Instructions.paths(found)).toEqual([at("AGENTS.md"), at("web/app/AGENTS.md")])
      const prompt = Instructions.withPrompt("You help.", found)
      expect(prompt.startsWith("You help.\n\n")).toBe(true)
      expect(
        prompt.endsWith(
          `\n\n<instructions file="AGENTS.md">\nroot\n</instructions>\n\n` +
            `<instructions file="web/app/AGENTS.md">\napp\n</instructions>`
        )
      ).toBe(true)
      yield* Effect.promise(() => symlink(at("web/app"), `${base}/elsewhere`))
      expect(yield* Instructions.read(`${base}/elsewhere`)).toEqual(found)
    })
  )

  it.scoped("are those of the folder alone where there is no repository, and none where there is no folder", () =>
    Effect.gen(function* () {
      const { at } = yield* TestWorkspace.make({ "AGENTS.md": "above", "sub/AGENTS.md": "own" })
      expect(notes(yield* Instructions.read(at("sub")))).toEqual([["AGENTS.md", null]])
      expect(yield* Instructions.read(at("gone"))).toEqual([])
      expect(Instructions.withPrompt("You help.", [])).toBe("You help.")
    })
  )

  it.scoped("stop at the nearest repository, whose .git may be a file, as in a submodule", () =>
    Effect.gen(function* () {
      const { read } = yield* inRepository({ "AGENTS.md": "root", "web/.git": "gitdir: …", "web/AGENTS.md": "web" })
      expect((yield* read).map(({ text }) => text)).toEqual(["web"])
    })
  )

  it.scoped("follow a link within the repository, and read nothing out of it", () =>
    Effect.gen(function* () {
      const { at, outside, read } = yield* inRepository({ "docs/agents.md": "from docs" })
      yield* Effect.promise(() => symlink(`${outside}/secret.txt`, at("AGENTS.md")))
      yield* Effect.promise(() => symlink("../docs/agents.md", at("web/AGENTS.md")))
      yield* TestWorkspace.makePipe(at("web/app/AGENTS.md"))
      const found = yield* read
      expect(found.map(({ text }) => text)).toEqual([null, "from docs", null])
      expect(notes(found)).toEqual([
        ["AGENTS.md", "left out: it leads out of the workspace"],
        ["web/AGENTS.md", null],
        ["web/app/AGENTS.md", "left out: it is not a regular file"]
      ])
      expect(Instructions.withPrompt("", found)).not.toContain("secret")
      yield* Effect.promise(async () => {
        await mkdir(`${outside}/app`)
        await rename(at("web"), at("old"))
        await symlink(outside, at("web"))
      })
      expect(yield* read).toEqual([])
    })
  )

  it.scoped("are cut at a character, and the nearest have the room that there is", () =>
    Effect.gen(function* () {
      const { read } = yield* inRepository({
        "AGENTS.md": "root",
        "web/AGENTS.md": "w".repeat(Instructions.mostOfEach),
        "web/app/AGENTS.md": `a${"é".repeat(Instructions.mostOfEach)}`
      })
      const found = yield* read
      // The last byte of the 32 KiB would be half a character.
      expect(sizes(found)).toEqual([null, Instructions.mostOfEach, Instructions.mostOfEach / 2])
      expect(notes(found)).toEqual([
        ["AGENTS.md", "left out: more than 64 KiB in all"],
        ["web/AGENTS.md", null],
        ["web/app/AGENTS.md", "cut at 32 KiB"]
      ])
      expect(Instructions.withPrompt("", found)).toContain("é\n[cut at 32 KiB]\n</instructions>")
    })
  )

  it.scoped("have all that is left of the room, and are left out where they are no text", () =>
    Effect.gen(function* () {
      const { read } = yield* inRepository({
        "AGENTS.md": "r".repeat(Instructions.mostOfEach),
        "web/AGENTS.md": "w".repeat(20 * 1024),
        "web/app/AGENTS.md": "a".repeat(Instructions.mostOfEach)
      })
      const found = yield* read
      expect(sizes(found)).toEqual([12 * 1024, 20 * 1024, Instructions.mostOfEach])
      expect(notes(found)[0]).toEqual(["AGENTS.md", "cut at 12 KiB"])
      const binary = yield* inRepository({ "AGENTS.md": new Uint8Array([65, 0, 66]) })
      expect(notes(yield* binary.read)).toEqual([["AGENTS.md", "left out: it is a binary file"]])
    })
  )
})
