/** The command with a PostgreSQL database, as processes: what each command does there, and what it refuses. */
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { eventually } from "../../../support/Eventually.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { storageIn } from "../postgres/layers.js"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as ChatRequest from "./ChatRequest.js"
import * as Program from "./Program.js"

/** A server that requires no password accepts any. */
const withPassword = (url: string): string => {
  const made = new URL(url)
  if (made.password === "") made.password = "canary-of-a-password"
  return made.href
}

const withDatabase = Effect.gen(function* () {
  const url = withPassword(yield* Postgres.database)
  const home = yield* Program.make()
  const { password } = new URL(url)
  const where = url.replace(/\/\/.*@/, "//")
  return { home, url, where, password, env: { SKEIN_DATABASE: url } }
})

const call = (name: string, input: Readonly<Record<string, string>>) => ({ name, input })

/** The newest session in the database. */
const newest = (url: string) =>
  Effect.gen(function* () {
    const [session] = yield* Postgres.once<{ readonly id: string; readonly agent: string; readonly placement: string }>(
      url,
      "SELECT id, agent, placement FROM skein.session_rows ORDER BY ordinal DESC LIMIT 1"
    )
    return yield* Effect.fromNullable(session)
  })

/** What the command says when this database cannot be opened, without a process for each. */
const report = (url: string) => {
  const options = { url: Redacted.make(url), schema: "skein", lanes: 1, readers: 1 }
  const opened = Layer.build(Layer.provide(storageIn(options), EngineConfig.layer({ busyMaxMillis: 1 })))
  return Effect.map(Effect.flip(Effect.sandbox(Effect.scoped(opened))), (cause) => Failure.report(cause) ?? "")
}

Postgres.describe("skein --database", () => {
  it.scopedLive("has every command work in a database instead of a data folder, and tells nobody the password", () =>
    Effect.gen(function* () {
      const { env, home, password, url, where } = yield* withDatabase
      const script = [{ calls: [call("shell", { command: "env" })] }, { text: "Done." }, { text: "Again." }]
      yield* home.write("work/s.json", JSON.stringify(script))
      const said: Array<string> = []
      const run = (args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = env) =>
        Effect.tap(
          home.run([...args, "--log-level", "trace", "--log-file", home.at("log")], more),
          ({ stderr, stdout }) => Effect.sync(() => said.push(stdout, stderr))
        )
      const named = ["--database", url]
      const asked = { PGPASSWORD: password, SKEIN_DATABASE: url.replace(`:${password}@`, "@") }
      expect(yield* run(["run", "go", "--yes", "--model", "script/s.json"], asked)).toMatchObject({
        code: 0,
        stdout: "Done.\n"
      })
      const { agent, id, placement } = yield* newest(url)
      expect({ agent, placement }).toEqual({ agent: "workspace", placement: hostname() })
      const ways: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["sessions", "rename", id.slice(0, 12), "Named"], `Renamed ${id} to "Named"\n`],
        [["sessions", "model", id, "script/s.json"], `Switched ${id} to script/${home.at("work/s.json")}\n`],
        [["sessions", "agent", id, "read-only"], `Switched ${id} to agent read-only\n`],
        [["sessions", "move", id, ".."], `Moved ${id} to ${home.at(".").replace(/\/\.?$/, "")}\n`],
        [["export", id, "--out", "../one.jsonl"], `Exported 1 session and 0 files to ${home.at("one.jsonl")}`],
        [["sessions", "delete", id, "--yes"], `Deleted ${id}\n`],
        [["import", "../one.jsonl"], `Imported 1 session into ${where}\n`],
        [["sessions", "list"], "Named"],
        [["sessions", "show", id], "Done."]
      ]
      for (const [args, says] of ways) {
        const ended = yield* run(args)
        expect([args, ended.code, ended.stdout, ended.stderr]).toEqual([args, 0, expect.stringContaining(says), ""])
      }
      const resumed = yield* run(["run", "again", "--session", id, "--agent", "workspace", "--quiet", ...named], {})
      expect(resumed).toMatchObject({ code: 0, stdout: "Again.\n" })
      const demo = yield* run(["demo", ...named], {})
      expect(demo.stdout).toMatch(/skein sessions show ses_\w+ --database URL\n/)
      const seen = `${said.join("")}${readFileSync(home.at("log"), "utf8")}${readFileSync(home.at("one.jsonl"), "utf8")}`
      expect(seen).toContain("level=")
      expect(seen).not.toContain(password)
      expect(existsSync(`${home.data}/skein.db`)).toBe(false)
    })
  )

  it.scopedLive(
    "takes the database of the command line, then its data folder, then the database of the environment",
    () =>
      Effect.gen(function* () {
        const { env, home, url } = yield* withDatabase
        yield* home.write("work/s.json", JSON.stringify([{ text: "Done." }]))
        yield* home.run(["run", "in the database", "--model", "script/s.json"], env)
        const titles = (args: ReadonlyArray<string>, more: Readonly<Record<string, string>>) =>
          Effect.map(home.run(["sessions", "list", "--json", ...args], more), (ended) =>
            Program.sessions(ended).map(({ title }) => title)
          )
        const there = ["in the database"]
        expect(yield* titles([], env)).toEqual(there)
        expect(yield* titles(["--database", url], { SKEIN_DATABASE: "nonsense" })).toEqual(there)
        expect(yield* titles(["--database", `${url}?schema=other`], {})).toEqual([])
        expect(yield* titles(["--data", home.at("folder")], env)).toEqual([])
        expect(yield* titles([], { SKEIN_DATABASE: "" })).toEqual([])
      })
  )

  it.scopedLive("says in one line what is in the way, and leaves the password out of it", () =>
    Effect.gen(function* () {
      const { env, home, password, url, where } = yield* withDatabase
      const list = (database: string) => ["sessions", "list", "--database", database]
      const at = (change: (url: URL) => void) => {
        const other = new URL(url)
        change(other)
        return other.href
      }
      const gone = at((url) => (url.port = "1"))
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string, Readonly<Record<string, string>>?]> =
        [
          [list("mydb"), 2, "--database takes a URL such as postgres://USER@HOST:5432/DATABASE"],
          [["sessions", "list"], 2, "SKEIN_DATABASE takes a URL", { SKEIN_DATABASE: "mydb" }],
          [list(`postgres://me:123/4${password}@host/db`), 2, "is not a usable URL; in a password, write / ? # @ %"],
          [list(`${url}?schema=No`), 2, "schema: a name: 1 to 48 of a-z, 0-9 and _"],
          [[...list(url), "--data", "d"], 2, "--data and --database cannot be used together"],
          [list(gone), 1, `cannot connect to ${gone.replace(/\/\/.*@/, "//")}: connection refused, ECONNREFUSED`],
          [["backup", "x"], 2, "is backed up with its own tools, such as pg_dump", env],
          [["restore", "x"], 2, "is restored with its own tools", env],
          [["sessions", "list"], 2, "SKEIN_PLACEMENT: must be 1 to 64 characters of", { SKEIN_PLACEMENT: "a b" }]
        ]
      for (const [args, code, says, more] of wrong) {
        const ended = yield* home.run(args, more)
        expect([args, ended.code, ended.stdout, ended.stderr, Program.isOneLine(ended.stderr)]).toEqual([
          args,
          code,
          "",
          expect.stringContaining(says),
          true
        ])
        expect(ended.stderr).not.toContain(password)
      }
      const unusable: ReadonlyArray<readonly [string, string]> = [
        [`postgres://me:${password}@one,two:3/db`, "cannot connect to postgres://one,two:3/db: unknown host"],
        [at((url) => (url.hostname = "no-such-host.invalid")), "no-such-host.invalid"],
        [
          at((url) => (url.pathname = "/no_such_database")),
          "/no_such_database cannot be used (there is no such database, 3D000)"
        ],
        [at((url) => (url.username = "nobody_here")), `${where} cannot be used (`],
        [`${url}?sslmode=require`, `${where} cannot be used (the server does not encrypt connections, NO_TLS)`]
      ]
      for (const [database, says] of unusable) {
        const line = yield* report(database)
        expect([database, line, Program.isOneLine(`${line}\n`)]).toEqual([
          database,
          expect.stringContaining(says),
          true
        ])
        expect(line).not.toContain(password)
      }
      yield* home.run(["sessions", "list"], env)
      yield* Postgres.once(url, "INSERT INTO skein.migrations (version, name) VALUES (99, 'later')")
      expect(yield* report(url)).toContain(`${where} was written by a newer version of Skein (99)`)
    })
  )

  it.scopedLive("tells a database that is not UTF8, and a user who may not make the tables", () =>
    Effect.gen(function* () {
      const { url } = yield* withDatabase
      const name = new URL(url).pathname.slice(1)
      yield* Postgres.once(url, `CREATE ROLE ${name}_reader LOGIN PASSWORD 'r'`)
      yield* Effect.addFinalizer(() => Postgres.once(url, `DROP ROLE ${name}_reader`))
      yield* Effect.acquireRelease(
        Postgres.once(url, `CREATE DATABASE ${name}_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`),
        () => Postgres.once(url, `DROP DATABASE ${name}_latin`)
      )
      expect(yield* report(`${url}_latin`)).toMatch(/is a database whose encoding is not UTF8 \(LATIN1\)$/)
      const reader = new URL(url)
      reader.username = `${name}_reader`
      reader.password = "r"
      expect(yield* report(reader.href)).toBe("skein: cannot migrate the database: permission denied, 42501")
    })
  )

  it.scopedLive("takes from the usual variables what a URL leaves out, and a password of any characters", () =>
    Effect.gen(function* () {
      const { home, url } = yield* withDatabase
      const { hostname, password, pathname, port, username } = new URL(url)
      const role = `${pathname.slice(1)}_me`
      const secret = "p@s/s w%2F:#?&schema=x"
      yield* Postgres.once(url, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${secret}'`)
      yield* Effect.addFinalizer(() =>
        Postgres.once(url, `DROP OWNED BY ${role}`).pipe(Effect.zipRight(Postgres.once(url, `DROP ROLE ${role}`)))
      )
      const variables = { PGHOST: hostname, PGPORT: port, PGDATABASE: pathname.slice(1) }
      for (const env of [
        { ...variables, PGUSER: username, PGPASSWORD: decodeURIComponent(password), SKEIN_DATABASE: "postgres://" },
        { ...variables, PGPASSWORD: secret, SKEIN_DATABASE: `postgres://${role}@/` },
        { SKEIN_DATABASE: `postgres://${role}:${encodeURIComponent(secret)}@${hostname}:${port}${pathname}?schema=b` }
      ]) {
        const listed = yield* home.run(["sessions", "list"], env)
        expect(listed).toMatchObject({ code: 0, stdout: "No sessions.\n", stderr: "" })
      }
      const refused = yield* home.run(["sessions", "list"], {
        ...variables,
        PGPORT: "1",
        SKEIN_DATABASE: "postgres://"
      })
      expect(refused.stderr).toContain(`cannot connect to postgres://${hostname}:1${pathname}: connection refused`)
    })
  )

  it.scopedLive("runs a session where its folder is, and nowhere else", () =>
    Effect.gen(function* () {
      const { env, home, url } = yield* withDatabase
      yield* home.write("work/s.json", JSON.stringify([{ text: "Here." }, { text: "There." }]))
      yield* home.run(["run", "go", "--model", "script/s.json"], { ...env, SKEIN_PLACEMENT: "laptop" })
      const { id } = yield* newest(url)
      const elsewhere = yield* home.run(["run", "go on", "--session", id], { ...env, SKEIN_PLACEMENT: "desktop" })
      expect(elsewhere).toMatchObject({
        code: 2,
        stdout: "",
        stderr: `skein: session ${id} can only continue where its folder is, on laptop; if that is this host, set SKEIN_PLACEMENT=laptop\n`
      })
      const shown = yield* home.run(["sessions", "show", id], { ...env, SKEIN_PLACEMENT: "desktop" })
      expect(shown.stdout).toContain("Here.")
      const here = yield* home.run(["run", "go on", "--session", id, "--quiet", "--model", "script/s.json"], {
        ...env,
        SKEIN_PLACEMENT: "laptop"
      })
      expect(here).toMatchObject({ code: 0, stdout: "There.\n" })
    })
  )

  it.scopedLive(
    "a session that runs in one process waits for it in another, or is refused, and Ctrl-C cancels one of both",
    () =>
      Effect.gen(function* () {
        const { env: database, home, url } = yield* withDatabase
        const fake = yield* FakeProvider.make
        const env = { ...database, ...(yield* Program.configure(home, fake.url)) }
        yield* fake.answer(
          FakeProvider.chat({ text: "half an ans", hang: true }),
          FakeProvider.chat({ text: "Second." }),
          FakeProvider.chat({ text: "Second." })
        )
        const first = yield* home.start(["run", "--json", "one"], { ...env, SKEIN_DATA: home.at("first") })
        yield* Program.readUntil(first, "text.delta")
        const { id } = yield* newest(url)
        // What the first process writes is seen by other processes, but does not belong to them.
        yield* eventually(Postgres.once(url, "SELECT 1 FROM skein.drafts"), ({ length }) => length > 0)
        const refused = yield* home.run(["run", "--session", id, "two"], env)
        expect(refused).toMatchObject({ code: 1, stdout: "" })
        expect(refused.stderr).toMatch(/is busy with run run_\w+; add --queue to wait for it\n$/)
        const second = yield* home.start(["run", "--json", "--session", id, "--queue", "two"], {
          ...env,
          SKEIN_DATA: home.at("second")
        })
        yield* Program.readUntil(second, "run.queued")
        yield* first.signal("SIGINT")
        expect(yield* first.ended).toMatchObject({ code: null, signal: "SIGINT", stderr: "" })
        const ended = yield* second.ended
        expect(ended).toMatchObject({ code: 0, stderr: "" })
        expect(Program.events(ended).at(-1)).toMatchObject({ type: "run.ended", stopReason: "completed" })
        const shown = Program.entries(yield* home.run(["sessions", "show", id, "--json"], env))
        expect(shown.map(({ message }) => message.role)).toEqual(["user", "assistant", "user", "assistant"])
        expect(shown[1]?.message).toMatchObject({ partial: true, parts: [{ text: "half an ans" }] })
      })
  )

  it.scopedLive("P2 seen means stored: after kill -9 another process goes on, with what was announced", () =>
    Effect.gen(function* () {
      const { env: database, home, url } = yield* withDatabase
      const fake = yield* FakeProvider.make
      const env = { ...database, ...(yield* Program.configure(home, fake.url)) }
      yield* home.write("work/slow.txt", `${"a".repeat(60)}!\n`)
      yield* home.write("work/a.txt", "alpha")
      const slow = call("grep", { pattern: "(a+)+$", path: "slow.txt" })
      yield* fake.answer(FakeProvider.chat({ calls: [slow, call("read", { path: "a.txt" })] }))
      const running = yield* home.start(["run", "--json", "search"], env)
      yield* Program.readUntil(running, "call.finished")
      yield* running.signal("SIGKILL")
      yield* running.ended
      const { id } = yield* newest(url)
      expect((yield* home.run(["sessions", "show", id], env)).stdout).toContain("--resume")
      yield* fake.answer(FakeProvider.chat({ text: "Back again." }))
      const resumed = yield* home.run(["run", "--session", id, "--resume"], { ...env, SKEIN_DATA: home.at("other") })
      expect(resumed).toMatchObject({ code: 0, stdout: "Back again.\n" })
      const last = yield* Effect.flatMap(fake.received, (all) => Effect.fromNullable(all.at(-1)))
      const results = ChatRequest.results((yield* ChatRequest.decode(last)).messages)
      expect(results[0]).toContain("effects are unknown")
      expect(results[1]).toBe("alpha")
    })
  )

  it.scopedLive("hides a URL of the command line from those who list processes", () =>
    Effect.gen(function* () {
      const { home, password, url } = yield* withDatabase
      const fake = yield* FakeProvider.make
      const env = yield* Program.configure(home, fake.url)
      yield* fake.answer(FakeProvider.chat({ text: "half an ans", hang: true }))
      const running = yield* home.start(["run", "--json", "go", "--database", url], env)
      expect(Option.isSome(yield* running.line)).toBe(true)
      if (process.platform === "linux") {
        expect(readFileSync(`/proc/${running.pid}/cmdline`, "utf8")).not.toContain(password)
      }
      yield* running.signal("SIGKILL")
      yield* running.ended
    })
  )
})
