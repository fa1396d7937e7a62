/**
 * The connections by which a member of a cluster keeps its locks and reads who the runners are. They end with their scope,
 * also those that nobody has given back: `@effect/sql-pg` loses one whose taker is interrupted before it has it, and the
 * pool waits for each. A runner that is told to end would stand there for ever, with its engine at work.
 */
import { Effect, Option, Predicate, Redacted, type Scope } from "effect"
import pg from "pg"
import { atMost } from "../../services/AtMost.js"
import * as Connection from "../postgres/Connection.js"
import * as DatabaseUrl from "../postgres/DatabaseUrl.js"
import type { Settings } from "./Settings.js"

/** One keeps the locks, the others read and write who the runners are. */
const connections = 3

/** So long connections have to be given back once they are to end. */
const closeMillis = 2_000

export const make = ({ schema, url }: Pick<Settings, "schema" | "url">): Effect.Effect<pg.Pool, never, Scope.Scope> => {
  const open = new Set<pg.PoolClient>()
  const acquire = Effect.sync(() => {
    const pool = new pg.Pool({
      connectionString: DatabaseUrl.forDriver(Redacted.value(url)),
      application_name: "skein cluster",
      max: connections,
      connectionTimeoutMillis: 10_000,
      statement_timeout: 10_000,
      keepAlive: true,
      // Several fibers ask on the connection that keeps the locks; else the driver warns of that.
      pipeline: true,
      verify: (client, done) => {
        client.on("error", () => {})
        // Times are compared across connections, whatever zone the server shows them in.
        client.query(
          "SELECT set_config('search_path', $1, false), set_config('TimeZone', 'UTC', false)",
          [Connection.quoted(schema)],
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
