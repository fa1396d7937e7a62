/**
 * What the built program tells a model at the start: its own prompt or a file's, and the instructions of the folder.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as ChatRequest from "./ChatRequest.js"
import * as Program from "./Program.js"

const setup = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const home = yield* Program.make(files)
    const fake = yield* FakeProvider.make
    const env = yield* Program.configure(home, fake.url)
    /** The system prompts of all requests. */
    const prompts = Effect.flatMap(
      fake.received,
      Effect.forEach((request) =>
        Effect.map(ChatRequest.decode(request), ({ messages: [first] }) => [first?.role, String(first?.content)])
      )
    )
    return { ...home, fake, env, prompts }
  })

const done = FakeProvider.chat({ text: "Done." })

describe("skein run", () => {
  it.scopedLive("tells the model what AGENTS.md says, names the files first, and reads them once", () =>
    Effect.gen(function* () {
      const home = yield* setup({ ".git/HEAD": "", "AGENTS.md": "Use tabs.", "web/AGENTS.md": "Use Effect." })
      const change = FakeProvider.chat({ calls: [{ name: "write", input: { path: "AGENTS.md", content: "New." } }] })
      yield* home.fake.answer(change, done, done, done)
      const { code, stderr, stdout } = yield* home.run(["run", "--yes", "--workdir", "web", "go"], home.env)
      expect({ code, stdout }).toEqual({ code: 0, stdout: "Done.\n" })
      expect(stderr).toMatch(/^session ses_\w+\ninstructions AGENTS\.md, web\/AGENTS\.md\n/)
      yield* home.run(["run", "again", "--last", "--workdir", "web"], home.env)
      const json = yield* home.run(["run", "--json", "--workdir", "web", "go"], home.env)
      const [first = "", second = ""] = json.stdout.split("\n")
      const instructions = [`${home.workdir}/AGENTS.md`, `${home.workdir}/web/AGENTS.md`]
      expect(JSON.parse(first)).toMatchObject({ type: "run.started", instructions })
      expect(JSON.parse(second)).not.toHaveProperty("instructions")
      const [one, two, three] = yield* home.prompts
      const tail = (own: string) =>
        `<instructions file="AGENTS.md">\nUse tabs.\n</instructions>\n\n` +
        `<instructions file="web/AGENTS.md">\n${own}\n</instructions>`
      expect(one).toEqual(["system", expect.stringMatching(/^You work in a folder/)])
      expect(one?.[1]?.endsWith(tail("Use Effect."))).toBe(true)
      expect(two).toEqual(one)
      expect(three?.[1]?.endsWith(tail("New."))).toBe(true)
    })
  )

  it.scopedLive("--system takes the place of the built-in prompt, for one run", () =>
    Effect.gen(function* () {
      const home = yield* setup({ "prompt.md": "\uFEFFYou are a pirate.\n" })
      yield* home.fake.answer(done, done)
      const ended = yield* home.run(["run", "--system", "prompt.md", "go"], home.env)
      expect(ended.stderr).not.toContain("instructions")
      yield* home.run(["run", "--last", "go on"], home.env)
      const [one, two] = yield* home.prompts
      expect(one).toEqual(["system", "You are a pirate.\n"])
      expect(two).toEqual(["system", expect.stringMatching(/^You work in a folder/)])
    })
  )

  it.scopedLive("refuses a --system that is no text in one line, and makes no session", () =>
    Effect.gen(function* () {
      const home = yield* setup({ empty: " \n", large: "a".repeat(256 * 1024 + 1) })
      const cases = [
        ["gone", /no such file or folder, ENOENT/],
        [".", /it is a folder, EISDIR/],
        ["empty", /must not be empty/],
        ["large", /at most 262144 bytes/],
        ["binary", /UTF-8/]
      ] as const
      yield* home.shell(String.raw`printf '\377' > binary`)
      for (const [file, why] of cases) {
        const { code, stderr, stdout } = yield* home.run(["run", "--system", file, "go"], home.env)
        expect({ file, code, stdout }).toEqual({ file, code: 2, stdout: "" })
        expect(stderr).toMatch(/^skein: --system: [^\n]+\n$/)
        expect(stderr).toMatch(why)
      }
      expect(Program.sessions(yield* home.run(["sessions", "list", "--json"]))).toEqual([])
    })
  )
})
