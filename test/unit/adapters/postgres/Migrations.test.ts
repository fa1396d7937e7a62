/** How a schema reaches its newest version, and which schemas are left alone. */
import { it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { expect } from "vitest"
import { sqlName } from "../../../../src/services/storage/sql/Table.js"
import { tables } from "../../../../src/services/storage/sql/Tables.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Migrations from "../../../../src/adapters/postgres/Migrations.js"
import { steps } from "../../../../src/adapters/postgres/Schema.js"
import { beginningOf } from "../../../../src/services/storage/sql/SessionLists.js"
import { StorageReader } from "../../../../src/services/storage/Storage.js"
import { storageIn } from "./layers.js"
import { fresh } from "./storage.js"

const open = (options: Parameters<typeof storageIn>[0]) => Effect.scoped(Layer.build(storageIn(options)))

/** All tables of a schema with their columns and rows, and all indexes. */
const allOf = (url: string, schema: string) =>
  Postgres.once(
    url,
    `SELECT schema_to_xml_and_xmlschema($1, true, true, '')::text AS tables,
       (SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = $1) AS indexes`,
    [schema]
  )

Postgres.describe("Migrations of PostgreSQL", () => {
  it.live("create the tables and columns of `Tables.ts`, and no others", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      yield* open(options)
      const rows = yield* Postgres.once<{ readonly name: string; readonly columns: string }>(
        Redacted.value(options.url),
        `SELECT table_name AS name, string_agg(column_name, ' ' ORDER BY column_name COLLATE "C") AS columns
         FROM information_schema.columns WHERE table_schema = $1 GROUP BY table_name`,
        [options.schema]
      )
      const found = new Map(rows.map(({ columns, name }) => [name, columns]))
      // Only PostgreSQL keeps the contents of assets in its database.
      for (const own of ["migrations", "asset_files", "asset_chunks"]) expect(found.delete(own)).toBe(true)
      // The cursor of a message is computed from its other columns, so `Tables.ts` does not list it.
      const generated = new Map([["messages", ["cursor"]]])
      const told = tables.map(({ columns, name }): [string, string] => [
        name,
        [...Object.keys(columns).map(sqlName), ...(generated.get(name) ?? [])].toSorted().join(" ")
      ])
      expect(found).toEqual(new Map(told))
    })
  )

  it.live("run once when many engines start at the same time", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      yield* Effect.replicateEffect(open(options), 6, { concurrency: "unbounded", discard: true })
      const rows = yield* Postgres.once(Redacted.value(options.url), `SELECT version FROM ${options.schema}.migrations`)
      expect(rows).toEqual(steps.map((_, index) => ({ version: index + 1 })))
    })
  )

  it.scopedLive("P13 find sessions of an older schema by their folder, and an index still does", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { schema } = options
      const connection = yield* Connection.scoped({
        ...options,
        applicationName: "test",
        isLane: true,
        scans: true,
        lockMillis: 0
      })
      yield* Migrations.migrate({ connection, schema, where: "" }, steps.slice(0, 1))
      const url = Redacted.value(options.url)
      yield* Postgres.once(
        url,
        `INSERT INTO ${schema}.session_rows (id, first_cursor, created_at, updated_at, cursor, named, title, workdir)
         VALUES ('old', 1, 0, 0, 0, 1, 'old', '/old')`
      )
      const storage = yield* Layer.build(storageIn(options))
      const { sessions } = yield* Context.get(storage, StorageReader).sessions({ workdir: "/old" })
      expect(sessions.map(({ id }) => id)).toEqual(["old"])
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, "SET enable_seqscan = off")
      const plan = yield* Postgres.ask(
        holder,
        `EXPLAIN SELECT 1 FROM ${schema}.session_rows
         WHERE workdir = $1 AND ${beginningOf("workdir")} = ${beginningOf("$1")}`,
        ["/old"]
      )
      expect(JSON.stringify(plan)).toContain("session_rows_workdir")
    })
  )

  it.live("ask for no right that the owner of a schema lacks, neither the first time nor later", () =>
    Effect.gen(function* () {
      const { schema, url } = yield* fresh
      const [admin, owner] = [Redacted.value(url), `owner_of_${schema}_${process.pid}`]
      yield* Postgres.once(admin, `CREATE ROLE ${owner} LOGIN PASSWORD 'p'`)
      yield* Postgres.once(admin, `CREATE SCHEMA ${schema} AUTHORIZATION ${owner}`)
      const as = new URL(admin)
      as.username = owner
      as.password = "p"
      const options = { url: Redacted.make(as.href), schema, lanes: 1, readers: 1 }
      yield* Effect.replicateEffect(open(options), 2, { discard: true })
      yield* Postgres.once(admin, `REVOKE CREATE ON SCHEMA ${schema} FROM ${owner}`)
      yield* open(options)
      yield* Postgres.once(admin, `DROP SCHEMA ${schema} CASCADE`)
      yield* Postgres.once(admin, `DROP ROLE ${owner}`)
    })
  )

  it.scopedLive("are retried when the server ends their connection", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const url = Redacted.value(options.url)
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, "SELECT pg_advisory_lock(hashtextextended($1, 0))", [`skein ${options.schema}`])
      const opening = yield* Effect.fork(open(options))
      yield* Postgres.waitsForLock(url, "skein migrates")
      yield* Postgres.terminateAll(url)
      yield* Fiber.join(opening)
    })
  )

  it.live("refuse a schema of a newer version, name that version, and leave the schema as it is", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const url = Redacted.value(options.url)
      yield* open(options)
      yield* Postgres.once(url, `INSERT INTO ${options.schema}.migrations (version, name) VALUES (99, 'later')`)
      const before = yield* allOf(url, options.schema)
      const error = yield* Effect.flip(open(options))
      expect(error).toMatchObject({ _tag: "StorageUnusable", reason: "newer-version", detail: "99" })
      expect(yield* allOf(url, options.schema)).toEqual(before)
      expect(JSON.stringify(error)).not.toContain(new URL(url).password || "no password")
    })
  )

  it.scopedLive("refuse a database that cannot hold every text", () =>
    Effect.gen(function* () {
      const url = Redacted.value((yield* fresh).url)
      const name = `latin_${process.pid}`
      const drop = Postgres.once(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      yield* Effect.acquireRelease(
        Postgres.once(url, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`),
        () => drop
      )
      const latin = new URL(url)
      latin.pathname = `/${name}`
      const options = { ...(yield* fresh), url: Redacted.make(latin.href) }
      expect(yield* Effect.flip(open(options))).toMatchObject({ reason: "not-utf8", detail: "LATIN1" })
      expect(
        yield* Postgres.once(latin.href, "SELECT 1 FROM pg_namespace WHERE nspname = $1", [options.schema])
      ).toEqual([])
    })
  )
})
