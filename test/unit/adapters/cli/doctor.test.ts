import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import * as Machine from "../../../campaigns/faults/Machine.js"
import * as Shim from "../../../campaigns/faults/Shim.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Program from "./Program.js"

const withSession = Effect.gen(function* () {
  const made = yield* Program.make()
  // On a slow machine there is progress, which these tests ignore.
  const run = (...command: Parameters<typeof made.run>) =>
    Effect.map(made.run(...command), (ended) => ({ ...ended, stderr: Program.withoutProgress(ended.stderr) }))
  const home = { ...made, run }
  yield* home.write("s.json", JSON.stringify([{ text: "hello" }, { text: "hello again" }]))
  yield* home.run(["run", "the first one", "--model", "script/../s.json"])
  const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
  const id = session?.id ?? ""
  const path = `${home.data}/skein.db`
  const tamper = (statement: string) => {
    const connection = new Sqlite(path)
    connection.exec(statement)
    connection.close()
  }
  return { home, id, path, tamper }
})

describe("skein doctor", () => {
  it.scopedLive("is content with a healthy folder, and with none", () =>
    Effect.gen(function* () {
      const { home } = yield* withSession
      const healthy = { code: 0, stdout: `No damage found in ${home.data}\n`, stderr: "" }
      expect(yield* home.run(["doctor"])).toMatchObject(healthy)
      expect(yield* home.run(["doctor", "--repair"])).toMatchObject(healthy)
      expect(yield* home.run(["doctor", "--data", home.at("none")])).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("says a line for each finding, repairs it when asked, and the session goes on", () =>
    Effect.gen(function* () {
      const { home, id, tamper } = yield* withSession
      tamper("UPDATE messages SET body = 'lost' WHERE seq = 1")
      expect(yield* home.run(["sessions", "show", id])).toMatchObject({ code: 1 })
      const found = yield* home.run(["doctor"])
      expect(found).toMatchObject({
        code: 1,
        stdout: `damage   session ${id} at 1: the message does not decode; with --repair: replace it with a placeholder; the original is moved aside\n`,
        stderr: `skein: 1 problem in ${home.data}; copy the folder, then run skein doctor --repair to repair 1\n`
      })
      const repaired = yield* home.run(["doctor", "--repair"])
      expect(repaired).toMatchObject({ code: 0, stderr: "" })
      const [, kept = ""] = /the original is now: (\S+)\n/.exec(repaired.stdout) ?? []
      expect(readFileSync(kept, "utf8")).toContain('"body": "lost"')
      expect(yield* home.run(["doctor"])).toMatchObject({ code: 0 })
      const shown = yield* home.run(["sessions", "show", id])
      expect(shown.stdout).toContain("[A message here was damaged and can no longer be read.]")
      expect(yield* home.run(["sessions", "rename", id, "mended"])).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("says what a rebuilt database has lost, and does not end well over it", () =>
    Effect.gen(function* () {
      const { home, id, path } = yield* withSession
      const connection = new Sqlite(path)
      connection.pragma("wal_checkpoint(TRUNCATE)")
      const page = connection.prepare<[], number>("SELECT pageno FROM dbstat WHERE name = 'messages'").pluck().get()
      connection.close()
      const bytes = readFileSync(path)
      bytes.fill(0, ((page ?? 1) - 1) * 4096, (page ?? 1) * 4096)
      writeFileSync(path, bytes)
      const repaired = yield* home.run(["doctor", "--repair"])
      expect(repaired).toMatchObject({
        code: 1,
        stderr: `skein: repaired ${home.data}, but 1 row or page could not be read; 1 session lost messages; the old database was moved to aside\n`
      })
      expect(repaired.stdout).toContain(`session ${id} at 1: the message is missing`)
      expect(repaired.stdout).toContain(`rebuilt; session ${id} kept 0 of 2 messages; 1 row or page could not be read`)
      expect(yield* home.run(["doctor"])).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("repairs nothing while another process has the database open", () =>
    Effect.gen(function* () {
      const { home, path, tamper } = yield* withSession
      tamper("UPDATE messages SET body = 'lost' WHERE seq = 1")
      const engine = yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(path)),
        (connection) => Effect.sync(() => connection.close())
      )
      engine.prepare("SELECT count(*) FROM messages").get()
      const refused = yield* home.run(["doctor", "--repair"])
      expect(refused).toMatchObject({ code: 1, stdout: "" })
      expect(Program.isOneLine(refused.stderr)).toBe(true)
      expect(refused.stderr).toContain("another process has it open; nothing was repaired")
      expect(engine.prepare("SELECT body FROM messages WHERE seq = 1").pluck().get()).toBe("lost")
      expect(yield* home.run(["doctor"])).toMatchObject({ code: 1 })
    })
  )

  for (const [name, after, isFresh, says] of [
    ["opening it", 3, true, "a fresh process checked it again and found no damage"],
    ["looking at its pages", 20, true, "a fresh process checked it again and found no damage"],
    ["looking, and looking again", 20, false, "a fresh process could not read it either"]
  ] as const) {
    Machine.withShim(`does not take an error on a read for damage, and leaves the file as it is: ${name}`, () =>
      Effect.gen(function* () {
        const { home, path } = yield* withSession
        const before = readFileSync(path)
        const shim = yield* Shim.make(home.data)
        shim.set({ rules: [{ call: "read", path: "skein.db", after, times: 2, does: { gives: "EIO" } }] })
        // With this, processes that the program starts read from a healthy disk.
        yield* home.write("fresh.cjs", "delete process.env.LD_PRELOAD")
        const env = isFresh ? { ...shim.env, NODE_OPTIONS: `--require ${home.at("fresh.cjs")}` } : shim.env
        for (const args of [["doctor"], ["doctor", "--repair"]]) {
          const found = yield* home.run(args, env)
          expect(found).toMatchObject({ code: 1 })
          expect(found.stdout).toContain(says)
        }
        expect(readFileSync(path).equals(before)).toBe(true)
        expect(yield* home.run(["doctor"])).toMatchObject({ code: 0 })
      })
    )
  }
})

Postgres.describe("skein doctor --database", () => {
  it.scopedLive("says the same of a database, and repairs it", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const where = url.replace(/\/\/.*@/, "//")
      const home = yield* Program.make()
      const run = (...args: ReadonlyArray<string>) =>
        Effect.map(home.run([...args, "--database", url]), (ended) => ({
          ...ended,
          stderr: Program.withoutProgress(ended.stderr)
        }))
      const healthy = { code: 0, stdout: `No damage found in ${where}\n`, stderr: "" }
      expect(yield* run("doctor")).toMatchObject({
        ...healthy,
        stdout: `note     ${where}: new, without sessions; nothing to do\n${healthy.stdout}`
      })
      yield* home.write("s.json", JSON.stringify([{ text: "hello" }]))
      yield* run("run", "the first one", "--model", "script/../s.json")
      expect(yield* run("doctor")).toMatchObject(healthy)
      const [session] = Program.sessions(yield* run("sessions", "list", "--json"))
      const id = session?.id ?? ""
      yield* Postgres.once(url, "UPDATE skein.messages SET body = 'lost' WHERE seq = 1")
      expect(yield* run("doctor")).toMatchObject({
        code: 1,
        stdout: `damage   session ${id} at 1: the message does not decode; with --repair: replace it with a placeholder; the original is moved aside\n`,
        stderr: `skein: 1 problem in ${where}; copy the database, then run skein doctor --repair to repair 1\n`
      })
      const repaired = yield* run("doctor", "--repair")
      expect(repaired).toMatchObject({ code: 0, stderr: "" })
      const [, kept = ""] = /the original is now: (\S+)\n/.exec(repaired.stdout) ?? []
      expect(readFileSync(kept, "utf8")).toContain('"body": "lost"')
      expect(yield* run("doctor")).toMatchObject(healthy)
      const shown = yield* run("sessions", "show", id)
      expect(shown.stdout).toContain("[A message here was damaged and can no longer be read.]")
    })
  )
})
