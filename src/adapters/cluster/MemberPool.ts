/**
 * The connections on which a member of a cluster keeps its locks and reads which runners there are. They end with their
 * scope, including those that were never given back: `@effect/sql-pg` loses a connection if its taker is interrupted
 * before receiving it, and the pool waits for every connection. A runner that is told to end would otherwise hang
 * forever, with its engine at work.
 */
import { Effect, Option, Predicate, Redacted, type Scope } from "effect"
import pg from "pg"
import { atMost } from "../../services/AtMost.js"
import * as Connection from "../postgres/Connection.js"
import * as DatabaseUrl from "../postgres/DatabaseUrl.js"
import type { Settings } from "./Settings.js"

/** One connection keeps the locks; the others read and write the list of runners. */
const connections = 3

const statementMillis = 10_000

/** How long connections have to be given back once they should end. */
const closeMillis = 2_000

export const make = ({ schema, url }: Pick<Settings, "schema" | "url">): Effect.Effect<pg.Pool, never, Scope.Scope> => {
  const open = new Set<pg.PoolClient>()
  const acquire = Effect.sync(() => {
    const pool = new pg.Pool({
      connectionString: DatabaseUrl.forDriver(Redacted.value(url)),
      application_name: "skein cluster",
      max: connections,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      // Several fibers query on the connection that keeps the locks; without this the driver warns about it.
      pipeline: true,
      verify: (client, done) => {
        client.on("error", () => {})
        // Times are compared across connections, whatever zone the server shows them in. A pooler refuses connections
        // that begin with settings.
        client.query(
          `SELECT set_config('search_path', $1, false), set_config('TimeZone', 'UTC', false),
            set_config('statement_timeout', $2, false)`,
          [Connection.quoted(schema), `${statementMillis}`],
          (error) => (Predicate.isError(error) ? done(error) : done())
        )
      }
    })
    pool.on("error", () => {})
    pool.on("connect", (client) => void open.add(client))
    pool.on("remove", (client) => void open.delete(client))
    return pool
  })
  return Effect.acquireRelease(acquire, (pool) =>
    Effect.gen(function* () {
      const ended = yield* atMost(closeMillis)(Effect.promise(() => pool.end()))
      if (Option.isSome(ended)) return
      yield* Effect.forEach(
        open,
        (client) => atMost(closeMillis)(Effect.ignore(Effect.tryPromise(() => client.end()))),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
    })
  )
}
