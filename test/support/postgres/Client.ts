/** A plain connection for tests, independent of the code under test. */
import { Effect } from "effect"
import type { Scope } from "effect"
import pg from "pg"

/** Int8 as a number, as the code under test reads it. */
const types = new pg.TypeOverrides()
types.setTypeParser(20, Number)

/** Connects; dies if it cannot. If the connection is lost later, the next statement fails. */
export const connect = (url: string): Effect.Effect<pg.Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new pg.Client({ connectionString: url, types })
      client.on("error", () => {})
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )

type Values = ReadonlyArray<string | number | null>

/** Returns the rows that a statement selects. Fails with the error of the server or of the connection. */
export const ask = <Row extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values: Values = []
): Effect.Effect<ReadonlyArray<Row>, unknown> =>
  Effect.map(
    Effect.tryPromise({ try: () => client.query<Row>(text, [...values]), catch: (thrown) => thrown }),
    ({ rows }) => rows
  )

/** Runs one statement on a connection of its own. */
export const once = <Row extends pg.QueryResultRow>(url: string, text: string, values: Values = []) =>
  Effect.scoped(Effect.flatMap(connect(url), (client) => Effect.orDie(ask<Row>(client, text, values))))

/** Returns once a connection with this name waits for a lock in the database. */
export const waitsForLock = (url: string, applicationName: string) =>
  Effect.repeat(
    once(
      url,
      `SELECT 1 FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'`,
      [applicationName]
    ),
    { until: (rows) => rows.length > 0 }
  )

/** Ends all connections to the database except the one that asks. Returns how many those were. */
export const terminateAll = (url: string): Effect.Effect<number> =>
  Effect.map(
    once<{ readonly ended: number }>(
      url,
      `SELECT count(pg_terminate_backend(pid))::int AS ended FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`
    ),
    ([row]) => row?.ended ?? 0
  )
