/** Commands that are working when a newer version migrates their data folder or their database. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NewerVersion from "../../../support/NewerVersion.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as Program from "./Program.js"

const setup = Effect.gen(function* () {
  const home = yield* Program.make()
  const fake = yield* FakeProvider.make
  return { ...home, fake, env: yield* Program.configure(home, fake.url) }
})

/** One line, which says that the folder is a newer version's now. */
const refusal = expect.stringMatching(/^skein: \S+\/skein\.db was written by a newer version of Skein [^\n]+\n$/)

describe("P13 ends with a line when a newer version has migrated its data folder, and stores nothing more", () => {
  it.scopedLive("skein run, in the middle of a step", () =>
    Effect.gen(function* () {
      const { data, env, fake, start } = yield* setup
      yield* fake.answer(FakeProvider.chat({ text: "no end", hang: true }))
      const running = yield* start(["run", "hello", "--json"], env)
      yield* Program.readUntil(running, "text.delta")
      const before = NewerVersion.migrate(data)
      expect(yield* running.ended).toMatchObject({ code: 1, stderr: refusal })
      expect(NewerVersion.rows(data)).toEqual(before)
    })
  )

  it.scopedLive("skein serve, with nothing to do", () =>
    Effect.gen(function* () {
      const { data, env, start } = yield* setup
      const server = yield* start(["serve", "--port", "0", "--json"], env)
      yield* Effect.flatten(server.line)
      const before = NewerVersion.migrate(data)
      expect(yield* server.ended).toMatchObject({ code: 1, stderr: refusal })
      expect(NewerVersion.rows(data)).toEqual(before)
    })
  )

  it.scopedLive("skein serve, in the middle of a run", () =>
    Effect.gen(function* () {
      const { data, env, fake, start } = yield* setup
      const server = yield* start(["serve", "--port", "0", "--json"], env)
      yield* Effect.flatten(server.line)
      yield* fake.answer(FakeProvider.chat({ text: "no end", hang: true }))
      // This terminal knows no provider, so only the server can run it.
      const hello = yield* start(["run", "hello", "--json"])
      yield* Program.readUntil(hello, "text.delta")
      const before = NewerVersion.migrate(data)
      expect(yield* server.ended).toMatchObject({ code: 1, stderr: refusal })
      expect(NewerVersion.rows(data)).toEqual(before)
    })
  )
})

Postgres.describe("P13 skein serve --database", () => {
  it.scopedLive("ends with a line when a newer version has migrated the schema", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const { env, start } = yield* setup
      const server = yield* start(["serve", "--port", "0", "--json", "--database", url], env)
      yield* Effect.flatten(server.line)
      yield* Postgres.once(url, "INSERT INTO skein.migrations (version, name) VALUES (99, 'later')")
      expect(yield* server.ended).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^skein: \S+ was written by a newer version of Skein[^\n]*\n$/)
      })
    })
  )

  it.scopedLive("is not ended by a short command of a newer version", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const { env, run, start } = yield* setup
      const server = yield* start(["serve", "--port", "0", "--json", "--database", url], env)
      yield* Effect.flatten(server.line)
      const isWorking = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND
          database = (SELECT oid FROM pg_database WHERE datname = current_database())`
      yield* Effect.repeat(Postgres.once(url, isWorking), { until: (rows) => rows.length > 0 })
      const versions = "SELECT max(version) FROM skein.migrations"
      yield* Postgres.once(url, `DELETE FROM skein.migrations WHERE version = (${versions})`)
      const before = yield* Postgres.once(url, versions)
      expect(yield* run(["sessions", "list", "--database", url], env)).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^skein: \S+ is of an older version, and another process has it open[^\n]*\n$/)
      })
      expect(yield* Postgres.once(url, versions)).toEqual(before)
    })
  )
})
