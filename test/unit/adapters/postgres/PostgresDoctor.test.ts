/**
 * Both databases have the rows that a killed process left, and the same damage: the doctor finds the same, reports it
 * in the same words, repairs it in the same way, and then finds nothing.
 */
import { it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Layer, Redacted } from "effect"
import type pg from "pg"
import { join } from "node:path"
import { expect } from "vitest"
import * as Findings from "../../../../src/adapters/cli/texts/Findings.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Migrations from "../../../../src/adapters/postgres/Migrations.js"
import * as PostgresDoctor from "../../../../src/adapters/postgres/PostgresDoctor.js"
import * as PostgresQuery from "../../../../src/adapters/postgres/PostgresQuery.js"
import * as SkeinPostgres from "../../../../src/adapters/postgres/SkeinPostgres.js"
import * as Aside from "../../../../src/adapters/sqlite/Aside.js"
import { asidePlace } from "../../../../src/adapters/sqlite/doctor/Connection.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Agents from "../../../../src/services/Agents.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as Orphans from "../../../../src/services/storage/sql/doctor/Orphans.js"
import { isDamage, type Outcome } from "../../../../src/services/storage/sql/doctor/Finding.js"
import { sqlName, type Table } from "../../../../src/services/storage/sql/Table.js"
import { tables } from "../../../../src/services/storage/sql/Tables.js"
import * as Long from "../../../support/Long.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { folder } from "../../services/storage/disk.js"
import { asides } from "../sqlite/damaged.js"
import { damages } from "../sqlite/damages.js"
import { killed, sessions } from "../sqlite/killed.js"
import { databaseIn, look, repair, tamper } from "../sqlite/populated.js"
import { fresh } from "./storage.js"

/** An engine on a schema. */
const engineOn = (options: PostgresDoctor.Options) =>
  SkeinPostgres.layer({ ...options, recoverMillis: null }).pipe(
    Layer.provide(Agents.layer({ models: ScriptedModel.models, policy: Permissions.askToWrite })),
    Layer.provideMerge(ScriptedModel.layer)
  )

type Stored = Readonly<Record<string, unknown>>

const columnsOf = ({ columns }: Table): string => Object.keys(columns).map(sqlName).join(", ")

const selected = (table: Table): string =>
  `SELECT ${columnsOf(table)} FROM ${table.name} ORDER BY ${table.key.map(sqlName).join(", ")}`

const rowsIn = (data: string): ReadonlyArray<readonly [string, ReadonlyArray<Stored>]> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const rows = tables.map((table) => [table.name, connection.prepare<[], Stored>(selected(table)).all()] as const)
  connection.close()
  return rows
}

/** A schema without rows, and a client that does what no engine would. */
const harmed = Effect.gen(function* () {
  const { schema, url } = yield* fresh
  const options = { url, schema, applicationName: "test", isLane: true, lockMillis: 1_000, scans: true }
  yield* Effect.scoped(
    Effect.flatMap(Connection.scoped(options), (connection) => Migrations.migrate({ connection, schema, where: "" }))
  )
  const client = yield* Postgres.connect(Redacted.value(url))
  yield* Effect.promise(() =>
    client.query(`SET search_path TO ${schema}; SET session_replication_role = replica;
      DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT conrelid::regclass AS on_table, conname FROM pg_constraint
          WHERE contype = 'c' AND connamespace = '${schema}'::regnamespace
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.on_table, found.conname); END LOOP;
      END $$`)
  )
  return { client, options: { schema, url } }
})

/** Replaces all rows by those of a data folder. */
const fill = (client: pg.Client, data: string) =>
  Effect.promise(async () => {
    await client.query(`TRUNCATE ${tables.map(({ name }) => name).join(", ")}`)
    for (const table of tables) {
      const rows = rowsIn(data).find(([name]) => name === table.name)?.[1] ?? []
      const columns = columnsOf(table)
      const text = `INSERT INTO ${table.name} (${columns})
        SELECT ${columns} FROM json_populate_recordset(NULL::${table.name}, $1::json)`
      await client.query(text, [JSON.stringify(rows)])
    }
  })

const rowsOf = (client: pg.Client) =>
  Effect.promise(async () => {
    const found: Array<readonly [string, ReadonlyArray<Stored>]> = []
    for (const table of tables) found.push([table.name, (await client.query<Stored>(selected(table))).rows])
    return found
  })

const identified = Effect.provide(Identity.layer)

/** What is wrong, as data and in words, without its path. */
const told = (outcomes: ReadonlyArray<Outcome>) =>
  outcomes.filter(isDamage).map((outcome) => ({
    ...outcome,
    finding: { kind: outcome.finding.kind, ids: { ...outcome.finding.ids, path: "PATH" } },
    line: Findings.line(outcome).replace(/(?:\/|postgres:)[^ ;]*: /, "PATH: ")
  }))

/** All rows; without the sessions' ids if an id can only be found by the files of assets. */
const settled = (all: ReadonlyArray<readonly [string, ReadonlyArray<Stored>]>, isNamedByFiles: boolean) =>
  all.map(([name, rows]) => [
    name,
    isNamedByFiles && name === "session_rows" ? rows.map((row) => ({ ...row, id: "" })) : rows
  ])

Postgres.describe("A doctor of PostgreSQL", () => {
  it.scopedLive("finds in a sound database what the SQLite doctor finds, and reports a new one as new", () =>
    Effect.gen(function* () {
      const { client, options } = yield* harmed
      yield* fill(client, yield* killed)
      const kinds = (yield* identified(PostgresDoctor.look(options))).map(({ finding }) => finding.kind)
      const ofSqlite = (yield* look(yield* killed)).map(({ finding }) => finding.kind)
      expect(kinds).toEqual(ofSqlite.filter((kind) => kind !== "migration-copy"))
      const { schema, url } = yield* fresh
      const [outcome] = yield* identified(PostgresDoctor.look({ schema, url }))
      expect(outcome?.finding.kind).toBe("database-new")
    })
  )

  it.scopedLive("looks for lost sessions in a way that is as good for many sessions as for few", () =>
    Effect.gen(function* () {
      const { options } = yield* harmed
      const ways = { applicationName: "test", isLane: false, lockMillis: 1_000, scans: true }
      const connection = yield* Connection.scoped({ ...options, ...ways })
      const asked: Array<string> = []
      const query = PostgresQuery.make({
        query: (text) => {
          asked.push(text)
          return Connection.ask(connection, `EXPLAIN ${text}`).pipe(
            Effect.map(({ rows }) => asked.push(JSON.stringify(rows))),
            Effect.as({ rows: [], count: 0, command: "SELECT" })
          )
        }
      })
      yield* Orphans.ordinals(query)
      const [text, plan] = asked
      expect(text).toContain("session_rows")
      // Where the rows of a sub-plan do not fit the memory that it may have, it is run again for each row.
      expect(plan).not.toContain("SubPlan")
      expect(plan).toContain("Anti Join")
    })
  )

  it.scopedLive(
    "finds and repairs every damage as the SQLite doctor does",
    () =>
      Effect.gen(function* () {
        const { client, options } = yield* harmed
        // In PostgreSQL a sequence cannot be damaged by itself.
        const possible = Object.entries(damages).filter(([, { harm }]) => !harm.includes("sqlite_sequence"))
        for (const [name, { finds, harm }] of Long.some(possible, 3)) {
          const data = yield* killed
          yield* fill(client, data)
          tamper(data, "PRAGMA ignore_check_constraints = ON", harm)
          yield* Effect.promise(() => client.query(harm))
          const seen = told(yield* identified(PostgresDoctor.look(options)))
          expect([name, seen]).toEqual([name, told(yield* look(data))])
          expect([name, seen.map(({ finding }) => finding.kind)]).toEqual([name, finds])

          const root = join(yield* folder, "data")
          const aside = asidePlace(Aside.make(root, 0))
          expect([name, told(yield* identified(PostgresDoctor.repair(options, aside)))]).toEqual([name, []])
          yield* repair(data)
          expect([name, told(yield* identified(PostgresDoctor.look(options)))]).toEqual([name, []])
          const isNamedByFiles = harm.includes("SET id = 'a b' WHERE ordinal = ")
          const [ours, theirs] = [yield* rowsOf(client), rowsIn(data)].map((rows) => settled(rows, isNamedByFiles))
          expect([name, ours]).toEqual([name, theirs])
          expect(asides(root).map((path) => path.split("/").at(-1))).toEqual(
            asides(data).map((path) => path.split("/").at(-1))
          )
        }
      }),
    0
  )

  it.scopedLive("finds no damage while an engine works, and repairs a session between its writes", () =>
    Effect.gen(function* () {
      const { schema, url } = yield* fresh
      const aside = asidePlace(Aside.make(join(yield* folder, "data"), 0))
      const client = yield* Postgres.connect(Redacted.value(url))
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const model = yield* ScriptedModel.ScriptedModel
        const turn = (id: SessionId) =>
          Effect.gen(function* () {
            yield* model.play({ text: "an answer" })
            return yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
          })
        const kept = SessionId.make("kept")
        yield* gateway.create({ id: kept, workdir: "/" })
        yield* turn(kept)
        let done = 0
        const work = Effect.gen(function* () {
          const id = SessionId.make(`busy${done}`)
          yield* gateway.create({ id, workdir: "/" })
          yield* turn(id)
          yield* gateway.delete(id)
          done++
        })
        yield* Effect.forkScoped(Effect.forever(work))
        for (let looks = 0; done < 10 || looks < 10; looks++) {
          expect(told(yield* identified(PostgresDoctor.look({ schema, url })))).toEqual([])
        }
        yield* Effect.promise(() =>
          client.query(`UPDATE ${schema}.messages SET body = '{' WHERE seq = 2
            AND session = (SELECT ordinal FROM ${schema}.session_rows WHERE id = 'kept')`)
        )
        const repaired = yield* identified(PostgresDoctor.repair({ schema, url }, aside))
        expect(repaired.map(({ _tag, finding }) => [_tag, finding.kind])).toContainEqual([
          "Repaired",
          "message-damaged"
        ])
        expect(told(yield* identified(PostgresDoctor.look({ schema, url })))).toEqual([])
        expect((yield* turn(kept)).stopReason).toBe("completed")
      }).pipe(Effect.provide(engineOn({ schema, url })))
    })
  )

  it.scopedLive("leaves a session alone while an engine runs it", () =>
    Effect.gen(function* () {
      const { client, options } = yield* harmed
      yield* fill(client, yield* killed)
      const { held } = sessions
      const here = { bootId: "b", pidNamespace: "p", pid: 1, startTime: "s", instance: "i" }
      const elsewhere = JSON.stringify({ ...here, host: "elsewhere" })
      yield* Effect.promise(() =>
        client.query(`UPDATE messages SET body = '{' WHERE session = ${held} AND seq = 1;
          UPDATE runs SET engine = '${elsewhere}' WHERE session = ${held} AND state = 'running'`)
      )
      const before = yield* rowsOf(client)
      const aside = asidePlace(Aside.make(join(yield* folder, "data"), 0))
      const [outcome] = told(yield* identified(PostgresDoctor.repair(options, aside)))
      expect(outcome).toMatchObject({ _tag: "Failed", code: "IN_USE", finding: { kind: "message-damaged" } })
      expect(yield* rowsOf(client)).toEqual(before)
    })
  )
})

Postgres.describeOwn("A standby", () => {
  it.scopedLive("can be checked, but not repaired, and no engine starts on it", () =>
    Effect.gen(function* () {
      const primary = yield* Postgres.server
      const standby = yield* Effect.orDie(primary.standby)
      const options = { url: Redacted.make(standby.url), schema: "skein" }
      yield* Effect.scoped(Layer.build(engineOn({ ...options, url: Redacted.make(primary.url) })))
      expect(yield* Effect.provide(PostgresDoctor.look(options), Identity.layerOn("many"))).toEqual([])
      const refused = { _tag: "StorageFailed", code: "25006" }
      const place = asidePlace(Aside.make(yield* folder, 0))
      const repair = Effect.provide(PostgresDoctor.repair(options, place), Identity.layerOn("many"))
      expect(yield* Effect.flip(repair)).toMatchObject(refused)
      expect(yield* Effect.flip(Effect.scoped(Layer.build(engineOn(options))))).toMatchObject(refused)
    })
  )
})
