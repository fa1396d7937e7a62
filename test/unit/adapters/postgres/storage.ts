/** Storage in PostgreSQL, each in a schema of its own: that is made many times as fast as a database. */
import { Effect, Redacted, Scope } from "effect"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
import * as Postgres from "../../../support/postgres/Postgres.js"

/** The database of all tests of this worker. It goes with the run. */
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
