/**
 * Storage in PostgreSQL, each in a schema of its own: creating a schema is many times as fast as creating a database.
 */
import { Effect, Redacted, Scope } from "effect"
import type pg from "pg"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Migrations from "../../../../src/adapters/postgres/Migrations.js"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
import * as KeptConnections from "../../../support/postgres/KeptConnections.js"
import * as Postgres from "../../../support/postgres/Postgres.js"

/** The database of all tests of this worker. It is removed at the end of the run. */
const database = Effect.runSync(
  Effect.cached(Effect.flatMap(Scope.make(), (scope) => Scope.extend(Postgres.database, scope)))
)

let schemas = 0

/** The options of a storage in a new schema. */
export const fresh: Effect.Effect<PostgresStorage.Options> = Effect.map(database, (url) => ({
  url: Redacted.make(url),
  schema: `skein_${++schemas}`,
  lanes: 2,
  readers: 2
}))

/** The options of a storage in a new schema that has its tables. */
export const migrated = Effect.gen(function* () {
  const options = yield* fresh
  const { schema, url } = options
  yield* Effect.flatMap(
    Connection.scoped({ url, schema, applicationName: "test", isLane: true, scans: true, lockMillis: 0 }),
    (connection) => Migrations.migrate({ connection, schema, where: "" })
  ).pipe(Effect.scoped, Effect.orDie)
  return options
})

/** One schema for all tests of assets in this worker: emptying its tables is faster than creating others. */
const assetSchema = Effect.runSync(Effect.cached(migrated))

/** The same options, with no assets stored. */
export const emptyAssets = Effect.tap(assetSchema, ({ schema, url }) =>
  Postgres.once(Redacted.value(url), `TRUNCATE ${schema}.asset_files CASCADE`)
)

interface Counter {
  readonly table: string
  readonly column: string
}

/** The statements that give every table of a schema the rows, and every counter the value, that they have now. */
const restoring = (client: pg.Client, schema: string) =>
  Effect.gen(function* () {
    // Rows that others refer to go last.
    const tables = yield* Postgres.ask<{ readonly name: string }>(
      client,
      `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'
       ORDER BY EXISTS (SELECT 1 FROM pg_constraint WHERE confrelid = pg_class.oid)`,
      [schema]
    )
    const counters = yield* Postgres.ask<Counter>(
      client,
      `SELECT attrelid::regclass::text AS table, attname AS column FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
       WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND attidentity <> ''`,
      [schema]
    )
    yield* Postgres.ask(client, `CREATE SCHEMA ${schema}_new`)
    const copied = yield* Effect.filter(
      tables,
      Effect.fnUntraced(function* ({ name }) {
        const copy = name.replace(schema, `${schema}_new`)
        yield* Postgres.ask(client, `CREATE TABLE ${copy} AS TABLE ${name}`)
        return (yield* Postgres.ask(client, `SELECT 1 FROM ${copy} LIMIT 1`)).length > 0
      })
    )
    return [
      "BEGIN",
      ...tables.map(({ name }) => `DELETE FROM ${name}`),
      ...copied.map(({ name }) => `INSERT INTO ${name} TABLE ${name.replace(schema, `${schema}_new`)}`),
      ...counters.map(({ column, table }) => `ALTER TABLE ${table} ALTER COLUMN ${column} RESTART`),
      "COMMIT"
    ].join(";")
  })

/**
 * The options of a storage that has nothing stored, again and again: in one schema, on connections that are kept. To
 * make the tables and to connect costs many times what most tests do with them. One storage at a time may use it.
 */
export const emptied = Effect.gen(function* () {
  const { schema, url, ...options } = yield* migrated
  const kept = yield* KeptConnections.make(Redacted.value(url))
  const client = yield* Postgres.connect(Redacted.value(url))
  const restore = yield* Effect.orDie(restoring(client, schema))
  return Effect.orDie(
    Effect.as(Postgres.ask(client, restore), {
      ...options,
      schema,
      url: Redacted.make(kept)
    } satisfies PostgresStorage.Options)
  )
})
