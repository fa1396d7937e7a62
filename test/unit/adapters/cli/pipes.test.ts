import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as ChatRequest from "./ChatRequest.js"
import * as Program from "./Program.js"

const setup = (files: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const home = yield* Program.make(files)
    const fake = yield* FakeProvider.make
    const env = yield* Program.configure(home, fake.url)
    const answer = (text: string) => fake.answer(FakeProvider.chat({ text }))
    /** The user messages of the provider's latest request. */
    const asked = Effect.gen(function* () {
      const last = yield* Effect.flatMap(fake.received, (all) => Effect.fromNullable(all.at(-1)))
      const { messages } = yield* ChatRequest.decode(last)
      return messages.filter(({ role }) => role === "user").map(({ content }) => content)
    }).pipe(Effect.orDie)
    return { ...home, env, answer, asked }
  })

describe("skein run in a pipe", () => {
  it.scopedLive("stdin is the message", () =>
    Effect.gen(function* () {
      const home = yield* setup({ "message.txt": "from a file\n" })
      for (const [line, message] of [
        ["printf 'from a\\npipe' | skein run", "from a\npipe"],
        ["printf 'from a dash' | skein run -", "from a dash"],
        ["skein run < message.txt", "from a file\n"]
      ] as const) {
        yield* home.answer("All good.")
        expect(yield* home.shell(line, home.env)).toMatchObject({ code: 0, stdout: "All good.\n" })
        expect(yield* home.asked).toEqual([message])
      }
    })
  )

  it.scopedLive("stdin is a block after the message; an empty one, a device and a socket are none", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      for (const [line, message] of [
        ["printf 'a\\nb\\n' | skein run 'Review this'", "Review this\n\n<stdin>\na\nb\n</stdin>"],
        ["printf '' | skein run 'Review this'", "Review this"],
        ["skein run 'Review this' < /dev/null", "Review this"]
      ] as const) {
        yield* home.answer("All good.")
        expect(yield* home.shell(line, home.env)).toMatchObject({ code: 0 })
        expect(yield* home.asked).toEqual([message])
      }
      yield* home.answer("All good.")
      expect(yield* home.run(["run", "No stdin"], home.env)).toMatchObject({ code: 0 })
      expect(yield* home.asked).toEqual(["No stdin"])
    })
  )

  it.scopedLive("stdin that is no message is refused before a session is made", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      for (const [line, says] of [
        ["printf '' | skein run", "missing message"],
        ["printf '\\377' | skein run", "UTF-8"],
        ["head -c 5000000 /dev/zero | skein run", "at most 4194304 bytes"],
        ["head -c 3000000 /dev/zero | tr '\\0' '\"' | skein run", "at most 4194304 bytes as JSON"]
      ] as const) {
        const { code, stderr, stdout } = yield* home.shell(line, home.env)
        expect({ line, code, stdout, isOneLine: Program.isOneLine(stderr) }).toEqual({
          line,
          code: 2,
          stdout: "",
          isOneLine: true
        })
        expect(stderr).toContain(says)
      }
      expect(yield* home.run(["sessions", "list"])).toMatchObject({ stdout: "No sessions.\n" })
    })
  )

  it.scopedLive("--quiet prints the answer and nothing else", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      yield* home.answer("All good.")
      const quiet = yield* home.run(["run", "--quiet", "hi"], home.env)
      expect(quiet).toMatchObject({ code: 0, stdout: "All good.\n", stderr: "" })
      expect(yield* home.run(["run", "--quiet", "--json", "hi"], home.env)).toMatchObject({ code: 2 })
    })
  )

  it.scopedLive("--last is the newest session of the folder, and the beginning of an id names a session", () =>
    Effect.gen(function* () {
      const home = yield* setup({ "other/file": "" })
      expect((yield* home.run(["run", "hi", "--last"], home.env)).stderr).toContain(`no session in ${home.workdir}`)
      const ids: Array<string> = []
      for (const args of [[], [], ["--workdir", "other"]]) {
        yield* home.answer("One.")
        const { stderr } = yield* home.run(["run", "first", ...args], home.env)
        ids.push(/ses_\w+/.exec(stderr)?.[0] ?? "")
      }
      const [oldest = "", newest = "", other = ""] = ids
      for (const [args, id] of [
        [["--last"], newest],
        [["--last", "--workdir", "other"], other],
        [["--session", oldest.slice(0, 14)], oldest],
        [["--session", oldest.slice(4, 16)], oldest]
      ] as const) {
        yield* home.answer("Two.")
        expect(yield* home.run(["run", "go on", ...args], home.env)).toMatchObject({
          code: 0,
          stderr: `session ${id}\n`
        })
      }
      const ambiguous = yield* home.run(["sessions", "show", "ses_"])
      expect(ambiguous).toMatchObject({ code: 1, stdout: "" })
      const renamed = yield* home.run(["sessions", "rename", oldest.slice(0, 14), "the oldest"])
      expect(renamed.stdout).toBe(`Renamed ${oldest} to "the oldest"\n`)
      const deleted = yield* home.run(["sessions", "delete", other.slice(0, 14), "--yes"])
      expect(deleted.stdout).toBe(`Deleted ${other}\n`)
    })
  )
})
