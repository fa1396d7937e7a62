import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { makePipe } from "../tools/TestWorkspace.js"
import * as Program from "./Program.js"

const withSession = Effect.gen(function* () {
  const home = yield* Program.make()
  yield* home.write("s.json", JSON.stringify([{ text: "hello" }]))
  yield* home.run(["run", "the first one", "--model", "script/../s.json"])
  const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
  const id = session?.id ?? ""
  return { home, id }
})

describe("skein backup and skein restore", () => {
  it.scopedLive("take all sessions from one folder into another", () =>
    Effect.gen(function* () {
      const { home, id } = yield* withSession
      const made = yield* home.run(["backup", "../all.skein"])
      expect(made).toMatchObject({ code: 0 })
      expect(made.stdout).toBe(
        `Backed up 1 session and 0 files to ${home.at("all.skein")} (${(statSync(home.at("all.skein")).size / 1000).toFixed(1)} KB)\n`
      )
      const there = ["--data", home.at("fresh")]
      expect(yield* home.run(["restore", "../all.skein", ...there])).toMatchObject({
        code: 0,
        stdout: `Restored 1 session and 0 files into ${home.at("fresh")}\n`
      })
      const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json", ...there]))
      expect(session).toMatchObject({ id, title: "the first one", head: 2 })
      const shown = yield* home.run(["sessions", "show", id, "--json", ...there])
      expect(shown.stdout).toBe((yield* home.run(["sessions", "show", id, "--json"])).stdout)
      expect(yield* home.run(["sessions", "rename", id, "elsewhere", ...there])).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("say in one line what cannot be done, and then have done nothing", () =>
    Effect.gen(function* () {
      const { home } = yield* withSession
      writeFileSync(home.at("precious"), "precious")
      yield* makePipe(home.at("pipe"))
      const before = readFileSync(`${home.data}/skein.db`)
      yield* home.run(["backup", "../all.skein"])
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
        [["backup"], 2, "missing FILE"],
        [["restore"], 2, "missing FILE"],
        [["backup", "../precious"], 1, "never overwrites a file"],
        [["backup", "../none/x"], 1, `${home.at("none")}: no such file or folder, ENOENT`],
        [["backup", "../precious/x"], 1, `${home.at("precious")}: a part of the path is not a folder, ENOTDIR`],
        [["backup", "../precious/x/y"], 1, `${home.at("precious/x")}: a part of the path is not a folder, ENOTDIR`],
        [["backup", ".."], 2, `${home.at(".")} is a folder; name a file in it, or add --keep COUNT`],
        [["backup", "--keep", "0", ".."], 2, "--keep: must be a whole number from 1"],
        [["backup", "--keep", "1.5", ".."], 2, "--keep: must be a whole number from 1"],
        [["backup", "--keep", "2", "../none"], 1, `${home.at("none")}: no such file or folder, ENOENT`],
        [["backup", "--keep", "2", "../precious"], 1, `${home.at("precious")}: a part of the path is not a folder`],
        [["backup", "../x", "--data", home.at("none")], 1, "no database"],
        [["restore", "../all.skein"], 1, `${home.data}/skein.db`],
        [["restore", "../none", "--data", home.at("fresh")], 1, "none"],
        [["restore", "..", "--data", home.at("fresh")], 1, `Cannot read the backup ${home.at(".")}: it is a folder`],
        [["restore", "../precious/x", "--data", home.at("fresh")], 1, "a part of the path is not a folder, ENOTDIR"],
        [["restore", "../pipe", "--data", home.at("fresh")], 1, "not a backup"],
        [["restore", "../precious", "--data", home.at("fresh")], 1, "not a backup"]
      ]
      for (const [args, code, says] of wrong) {
        const ended = yield* home.run(args)
        expect([args, ended.code, ended.stdout, Program.isOneLine(ended.stderr)]).toEqual([args, code, "", true])
        expect(ended.stderr).toContain(says)
      }
      expect(readFileSync(home.at("precious"), "utf8")).toBe("precious")
      expect(readFileSync(`${home.data}/skein.db`).equals(before)).toBe(true)
      expect([existsSync(home.at("fresh")), existsSync(home.at("x")), existsSync(home.at("none"))]).toEqual([
        false,
        false,
        false
      ])
      // Newer versions of Node keep compiled code there.
      const left = readdirSync(home.at(".")).filter((name) => name !== ".cache")
      expect(left.toSorted()).toEqual(["all.skein", "data", "pipe", "precious", "s.json", "work"])
    })
  )

  it.scopedLive("keep as many as they are told, by name and without a word too many", () =>
    Effect.gen(function* () {
      const { home } = yield* withSession
      mkdirSync(home.at("backups"))
      for (const count of [1, 2, 3]) {
        const made = yield* home.run(["backup", "--keep", "2", "../backups"])
        expect(made).toMatchObject({ code: 0 })
        expect(made.stdout.endsWith("Removed 1 older backup\n")).toBe(count === 3)
      }
      const names = readdirSync(home.at("backups"))
      expect(names).toHaveLength(2)
      for (const name of names) expect(name).toMatch(/^skein-\d{8}T\d{6}\.\d{3}Z\.skein$/)
    })
  )

  it.scopedLive("say what is damaged, line by line up to a bound, by the exit code, and what leads on", () =>
    Effect.gen(function* () {
      const { home, id } = yield* withSession
      const connection = new Sqlite(`${home.data}/skein.db`)
      connection.pragma("foreign_keys = OFF")
      connection.exec("UPDATE messages SET body = 'lost' WHERE seq = 1")
      const columns = "session, follows, mark, run, at, role, body"
      const add = connection.prepare<[number]>(
        `INSERT INTO messages (seq, ${columns}) SELECT ?, ${columns} FROM messages WHERE seq = 1`
      )
      for (let seq = 3; seq < 30; seq++) add.run(seq)
      connection.close()
      const made = yield* home.run(["backup", "../all.skein"])
      expect(made.code).toBe(1)
      expect(made.stdout).toContain(`Backed up 1 session and 0 files to ${home.at("all.skein")}`)
      const lines = Program.withoutProgress(made.stderr).trimEnd().split("\n")
      expect(lines).toHaveLength(22)
      expect(lines[0]).toBe(`damage   session ${id} at 1: the message does not decode`)
      expect(lines.slice(-2)).toEqual([
        "         and 8 more",
        "skein: the backed-up data has 28 problems; skein doctor shows the repairs; restore this backup with skein restore --damaged"
      ])
      const there = ["--data", home.at("fresh")]
      const refused = yield* home.run(["restore", "../all.skein", ...there])
      expect([refused.code, refused.stdout, Program.isOneLine(refused.stderr)]).toEqual([1, "", true])
      expect(refused.stderr).toContain(`The backup ${home.at("all.skein")} is damaged; nothing was restored: `)
      expect(refused.stderr.endsWith("; add --damaged to restore what can be read of it\n")).toBe(true)
      const restored = yield* home.run(["restore", "../all.skein", "--damaged", ...there])
      expect(restored).toMatchObject({ code: 1, stdout: "" })
      expect(restored.stderr).toContain(`session ${id}: kept 1 message, lost 28 messages\n`)
      expect(restored.stderr).toContain(
        `skein: restored into ${home.at("fresh")}, but 28 messages of the damaged backup are lost\n`
      )
      expect(yield* home.run(["doctor", ...there])).toMatchObject({ code: 0 })
      expect(yield* home.run(["sessions", "show", id, ...there])).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("P13 leave a restored folder alone that a later version has made, whatever is asked of it", () =>
    Effect.gen(function* () {
      const { home, id } = yield* withSession
      const fresh = home.at("fresh")
      yield* home.run(["backup", "../all.skein"])
      yield* home.run(["restore", "../all.skein", "--data", fresh])
      const connection = new Sqlite(`${fresh}/skein.db`)
      connection.exec("INSERT INTO migrations (migration_id, name) VALUES (999, 'later'); PRAGMA user_version = 999")
      connection.close()
      const state = () =>
        readdirSync(fresh, { recursive: true, encoding: "utf8" })
          .toSorted()
          .map((name) => [name, statSync(`${fresh}/${name}`).mtimeMs])
      const before = state()
      expect(before.map(([name]) => name)).toEqual(["assets", "skein.db"])
      for (const args of [
        ["sessions", "list"],
        ["sessions", "show", id],
        ["run", "go on", "--session", id, "--model", "script/../s.json"],
        ["backup", "../other.skein"],
        ["doctor"]
      ]) {
        const refused = yield* home.run([...args, "--data", fresh])
        expect([args, refused.code]).toEqual([args, 1])
        expect(refused.stdout + refused.stderr).toMatch(/skein\.db.*newer version.*999/)
        expect([args, state()]).toEqual([args, before])
      }
      expect(existsSync(home.at("other.skein"))).toBe(false)
    })
  )
})
