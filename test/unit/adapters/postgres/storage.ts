/**
 * Storage in PostgreSQL, each in a schema of its own: creating a schema is many times as fast as creating a database.
 */
import { Effect, Redacted, Scope } from "effect"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Migrations from "../../../../src/adapters/postgres/Migrations.js"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
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

/** One schema for all tests of assets in this worker: emptying its tables is faster than creating others. */
const assetSchema = Effect.runSync(
  Effect.cached(
    Effect.gen(function* () {
      const options = yield* fresh
      const { schema, url } = options
      yield* Effect.flatMap(
        Connection.scoped({ url, schema, applicationName: "test", isLane: true, scans: true, lockMillis: 0 }),
        (connection) => Migrations.migrate({ connection, schema, where: "" })
      ).pipe(Effect.scoped, Effect.orDie)
      return options
    })
  )
)

/** The same options, with no assets stored. */
export const emptyAssets = Effect.tap(assetSchema, ({ schema, url }) =>
  Postgres.once(Redacted.value(url), `TRUNCATE ${schema}.asset_files CASCADE`)
)
