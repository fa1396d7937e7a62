import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { pictures } from "../../../support/fixtures/pictures.js"
import * as Program from "./Program.js"

/** Characters that would control a terminal. */
const raw = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/

const say = (home: Program.Home, message: string, ...more: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { code, stderr } = yield* home.run(["run", message, "--model", "script/../s.json", ...more])
    expect(code).toBe(0)
    const [id = ""] = /ses_\w+/.exec(stderr) ?? []
    return id
  })

describe("skein sessions", () => {
  it.scopedLive("lists, filters, renames, gives another model and deletes", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      yield* home.write("s.json", JSON.stringify([{ text: "hello" }]))
      yield* home.write("other/file", "")
      expect(yield* home.run(["sessions", "list"])).toMatchObject({ code: 0, stdout: "No sessions.\n" })
      const first = yield* say(home, "the first one")
      const second = yield* say(home, "the second one", "--workdir", "../other")

      const all = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
      expect(all.map(({ id, title }) => [id, title])).toEqual([
        [second, "the second one"],
        [first, "the first one"]
      ])
      const table = yield* home.run(["sessions", "list", "--limit", "1"])
      expect(table.stdout).toMatch(
        new RegExp(
          `^ID +TITLE +STATE +MESSAGES +LAST ACTIVITY +FOLDER\n${second}  the second one  idle +2 +\\d{4}-.*other\n… and 1 more`
        )
      )
      const here = yield* home.run(["sessions", "list", "--json", "--workdir", "."])
      expect(Program.sessions(here).map(({ id }) => id)).toEqual([first])
      const titled = yield* home.run(["sessions", "list", "--json", "--title", "SECOND"])
      expect(Program.sessions(titled).map(({ id }) => id)).toEqual([second])

      expect(Program.sessions(yield* home.run(["sessions", "list", "--json", "--state", "running, asks"]))).toEqual([])
      expect(Program.sessions(yield* home.run(["sessions", "list", "--json", "--state", "idle"]))).toHaveLength(2)
      const wrong = yield* home.run(["sessions", "list", "--state", "idle,asleep"])
      expect(wrong).toMatchObject({ code: 2, stdout: "" })
      expect(wrong.stderr).toContain("--state: must be idle, queued, running, asks, crashed, or several")

      expect(yield* home.run(["sessions", "rename", first, " a  new\nname "])).toMatchObject({
        code: 0,
        stdout: `Renamed ${first} to "a new name"\n`
      })
      const recent = yield* home.run(["sessions", "list", "--json", "--recent"])
      expect(Program.sessions(recent).map(({ id }) => id)).toEqual([first, second])
      for (const [model, says] of [
        ["nobody/x", "unknown provider"],
        ["openai/gpt/x", "OPENAI_API_KEY"],
        ["script/none.json", "none.json"]
      ] as const) {
        const refused = yield* home.run(["sessions", "model", first, model])
        expect(refused).toMatchObject({ code: 2, stdout: "" })
        expect(Program.isOneLine(refused.stderr)).toBe(true)
        expect(refused.stderr).toContain(says)
      }
      expect(yield* home.run(["sessions", "model", first, "openai/gpt/x"], { OPENAI_API_KEY: "k" })).toMatchObject({
        code: 0,
        stdout: `Switched ${first} to openai/gpt/x\n`
      })
      const shown = yield* home.run(["sessions", "show", first])
      expect(shown.stdout).toMatch(/^a new name\nses_\w+ · .* · openai\/gpt\/x · 2 messages · created /)
      expect(shown.stdout).toContain("\n#1 you\n  the first one\n")

      expect(yield* home.run(["sessions", "delete", first, "--yes"])).toMatchObject({
        code: 0,
        stdout: `Deleted ${first}\n`
      })
      expect(yield* home.run(["sessions", "show", first])).toMatchObject({ code: 1 })
      expect(Program.sessions(yield* home.run(["sessions", "list", "--json"]))).toHaveLength(1)
    })
  )

  it.scopedLive(
    "an agent that only reads changes nothing, whatever --yes says, until the session is given the other one",
    () =>
      Effect.gen(function* () {
        const home = yield* Program.make({ "a.txt": "kept" })
        const write = { calls: [{ name: "write", input: { path: "a.txt", content: "changed" } }] }
        const read = { calls: [{ name: "read", input: { path: "a.txt" } }] }
        const steps = [read, write, { text: "planned" }, write, { text: "done" }]
        yield* home.write("s.json", JSON.stringify(steps))
        const content = Effect.promise(() => readFile(home.at("work/a.txt"), "utf8"))
        const id = yield* say(home, "plan it", "--agent", "read-only", "--yes")
        expect(yield* content).toBe("kept")
        const shown = yield* home.run(["sessions", "show", id])
        expect(shown.stdout).toMatch(/ · agent read-only · 6 messages · created /)
        expect(shown.stdout).toContain("There is no tool write. Tools: read, list, glob, grep")
        const table = yield* home.run(["sessions", "list"])
        expect(table.stdout).toMatch(/ LAST ACTIVITY +AGENT +FOLDER\n.*\d  read-only  \//)

        expect(yield* home.run(["sessions", "agent", id.slice(4, 12), "workspace"])).toMatchObject({
          code: 0,
          stdout: `Switched ${id} to agent workspace\n`
        })
        expect(yield* home.run(["run", "--session", id, "do it", "--yes"])).toMatchObject({ code: 0, stdout: "done\n" })
        expect(yield* content).toBe("changed")
        expect(Program.sessions(yield* home.run(["sessions", "list", "--json"]))[0]?.agent).toBe("workspace")
      })
  )

  it.scopedLive(
    "an agent that the command has not is refused with those that it has, and one of another program before it is run",
    () =>
      Effect.gen(function* () {
        const home = yield* Program.make()
        yield* home.write("s.json", JSON.stringify([{ text: "hello" }, { text: "again" }]))
        const id = yield* say(home, "hi")
        for (const [args, field] of [
          [["sessions", "agent", id, "coder"], "agent"],
          [["run", "again", "--session", id, "--agent", "coder"], "--agent"]
        ] as const) {
          expect(yield* home.run(args)).toMatchObject({
            code: 2,
            stdout: "",
            stderr: `skein: ${field}: must be workspace or read-only (given: coder)\n`
          })
        }
        expect(yield* home.run(["sessions", "agent", "nobody", "read-only"])).toMatchObject({ code: 1 })

        const database = new Sqlite(join(home.data, "skein.db"))
        database.prepare("UPDATE session_rows SET agent = 'coder'").run()
        database.close()
        expect(yield* home.run(["run", "again", "--session", id])).toMatchObject({
          code: 2,
          stdout: "",
          stderr: `skein: session ${id} has the agent coder, which belongs to another program; give it one of workspace, read-only with --agent NAME\n`
        })
        const given = yield* home.run(["run", "again", "--session", id, "--agent", "workspace"])
        expect(given).toMatchObject({ code: 0, stdout: "again\n" })
      })
  )

  it.scopedLive("a session whose folder is gone says so before anything runs, and goes on in another folder", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "kept/file": "" })
      yield* home.write("s.json", JSON.stringify([{ text: "hello" }, { text: "again" }]))
      yield* home.write("other/file", "")
      const id = yield* say(home, "one", "--workdir", "../other")
      yield* Effect.promise(() => rm(home.at("other"), { recursive: true }))
      const refused = yield* home.run(["run", "--session", id, "two"])
      expect(refused).toMatchObject({ code: 2, stdout: "" })
      expect(refused.stderr).toMatch(
        new RegExp(`^skein: the folder of ${id} is gone: /.*/other; choose another with skein sessions move ${id} DIR`)
      )
      expect(yield* home.run(["sessions", "move", id, "../other"])).toMatchObject({ code: 2, stdout: "" })
      expect(yield* home.run(["sessions", "move", id, "kept"])).toMatchObject({
        code: 0,
        stdout: `Moved ${id} to ${home.at("work/kept")}\n`
      })
      const moved = yield* home.run(["run", "--session", id, "two", "--model", "script/../s.json"])
      expect(moved).toMatchObject({ code: 0, stdout: "again\n" })
      const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
      expect(session).toMatchObject({ workdir: home.at("work/kept"), head: 4 })
    })
  )

  it.scopedLive("a result's files and diffs are shown in a few lines, and kept whole in JSON", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "a.ts": `${"same\n".repeat(20)}old\n` })
      yield* Effect.promise(() => writeFile(home.at("work/shot.png"), pictures["image/png"](3, 4)))
      const calls = [
        { name: "read", input: { path: "shot.png" } },
        { name: "edit", input: { path: "a.ts", oldText: "old", newText: "new\nnewer" } },
        { name: "write", input: { path: "b.ts", content: "x\n".repeat(20) } }
      ]
      yield* home.write("s.json", JSON.stringify([{ calls }, { text: "done" }]))
      const { stderr } = yield* home.run(["run", "go", "--yes", "--model", "script/../s.json"])
      expect(stderr).toMatch(/^ {4}a\.ts \+2 -1$/m)
      expect(stderr).toMatch(/^ {4}b\.ts \+20 -0$/m)
      const [id = ""] = /ses_\w+/.exec(stderr) ?? []
      const asset = /^ {4}\[file (\S+) shot\.png\]$/m.exec(stderr)?.[1] ?? "none"
      const shown = (yield* home.run(["sessions", "show", id])).stdout
      expect(shown).toContain(`3 x 4 pixels, 29 bytes\n  [file ${asset} shot.png]\n`)
      expect(shown).toContain("Edited a.ts at line 21\n  a.ts +2 -1\n  - old\n  + new\n  + newer\n")
      expect(shown).toContain(`  b.ts +20 -0\n${"  + x\n".repeat(12)}  … 8 more lines\n`)
      const entries = Program.entries(yield* home.run(["sessions", "show", id, "--json"]))
      const parts = entries.flatMap(({ message }) => (message.role === "tool" ? [message.parts] : []))
      expect(parts).toEqual([
        [{ type: "file", assetId: asset, mediaType: "image/png", name: "shot.png" }],
        [
          {
            type: "diff",
            path: "a.ts",
            before: `${"same\n".repeat(20)}old\n`,
            after: expect.stringContaining("newer")
          }
        ],
        [{ type: "diff", path: "b.ts", before: null, after: "x\n".repeat(20) }]
      ])
    })
  )

  it.scopedLive("parts that only a later version knows are shown as such, and kept in JSON", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "a.txt": "a" })
      const calls = [{ name: "read", input: { path: "a.txt" } }]
      yield* home.write("s.json", JSON.stringify([{ calls }, { text: "done" }]))
      const id = yield* say(home, "go")
      const part = '{"type":"call","who":"me"}'
      const database = new Sqlite(join(home.data, "skein.db"))
      database.exec(`UPDATE messages SET body = json_insert(body, '$.parts[#]', json('${part}')) WHERE role = 'user'`)
      database.exec(`UPDATE messages SET body = json_set(body, '$.parts', json('[${part}]')) WHERE role = 'tool'`)
      database.close()
      const shown = yield* home.run(["sessions", "show", id])
      expect(shown.stdout.match(/\[call, unknown to this version of Skein\]/g)).toHaveLength(2)
      const { code, stdout } = yield* home.run(["sessions", "show", id, "--json"])
      expect(code).toBe(0)
      expect(stdout.split(part)).toHaveLength(3)
    })
  )

  it.scopedLive(
    "nothing of what a model, a tool, a file or a user wrote reaches the terminal as an escape sequence",
    () =>
      Effect.gen(function* () {
        const evil = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\rgone\u202egpj.exe\x90"
        const name = "a\x1b[2Jb.txt"
        const home = yield* Program.make({ [name]: `${evil}\n` })
        yield* home.write(
          "s.json",
          JSON.stringify([
            {
              text: [`before ${evil.slice(0, 9)}`, `${evil.slice(9)} after`],
              reasoning: evil,
              calls: [
                { name: "list", input: {} },
                { name: "read", input: { path: name } },
                { name: `no${evil}`, input: evil },
                { name: "write", input: { path: "x", content: evil } }
              ]
            },
            { text: evil, failure: { reason: "rejected", detail: evil } }
          ])
        )
        const run = yield* home.run(["run", `say ${evil}`, "--model", "script/../s.json"])
        expect(run.code).toBe(1)
        expect(run.stderr).toContain("before ␛]52;c;aGk=␇␛[2J\\u009b31m␍gone\\u202egpj.exe\\u0090 after")
        const [id = ""] = /ses_\w+/.exec(run.stderr) ?? []
        yield* home.run(["sessions", "rename", id, `title ${evil}`])
        const json = yield* home.run(["run", "again", "--session", id, "--json"])
        const outputs = [
          run,
          json,
          yield* home.run(["sessions", "list"]),
          yield* home.run(["sessions", "list", "--json"]),
          yield* home.run(["sessions", "show", id]),
          yield* home.run(["sessions", "show", id, "--json"]),
          yield* home.run(["sessions", "show", evil.replaceAll("\0", "")]),
          yield* home.run(["run", "hi", "--workdir", evil]),
          yield* home.run([evil])
        ]
        for (const { stderr, stdout } of outputs) {
          expect(stdout).not.toMatch(raw)
          expect(stderr).not.toMatch(raw)
        }
        expect(Program.events(json).at(-1)).toMatchObject({ type: "run.ended", stopReason: "failed" })
      })
  )
})
