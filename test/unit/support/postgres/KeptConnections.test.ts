/** What a client finds on a connection that another has used, and when it gets such a connection. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import pg from "pg"
import { expect } from "vitest"
import * as KeptConnections from "../../../support/postgres/KeptConnections.js"
import * as Postgres from "../../../support/postgres/Postgres.js"

const make = Effect.flatMap(Postgres.database, (direct) =>
  Effect.map(KeptConnections.make(direct), (url) => ({ direct, url }))
)

const backend = (client: pg.Client) =>
  Effect.map(Postgres.ask<{ readonly pid: number }>(client, "SELECT pg_backend_pid() AS pid"), (rows) => rows[0]?.pid)

/** Waits until the server has nothing more to do for its only connection, or has none. */
const settled = (direct: string, state: string | null) =>
  Effect.repeat(
    Postgres.once<{ readonly state: string; readonly query: string }>(
      direct,
      `SELECT state, query FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
    ),
    { until: (rows) => (state === null ? rows.length === 0 : rows.some(({ query }) => query === state)) }
  )

Postgres.describe("Connections that are kept", () => {
  it.scopedLive("the next client that asks for the same gets the connection as good as new", () =>
    Effect.gen(function* () {
      const { direct, url } = yield* make
      yield* Postgres.once(direct, "CREATE TABLE kept (n int)")
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Postgres.connect(url)
          const named = { name: "one", text: "SELECT $1::int AS n", values: [7] }
          expect((yield* Effect.promise(() => client.query(named))).rows).toEqual([{ n: 7 }])
          yield* Postgres.ask(client, "SET lock_timeout = 77")
          yield* Postgres.ask(client, "SELECT pg_advisory_lock(1)")
          yield* Postgres.ask(client, "LISTEN here")
          yield* Postgres.ask(client, "BEGIN")
          yield* Postgres.ask(client, "INSERT INTO kept VALUES (1)")
          return yield* backend(client)
        })
      )
      yield* settled(direct, "DISCARD ALL")
      const client = yield* Postgres.connect(url)
      expect(yield* backend(client)).toBe(first)
      expect(
        yield* Postgres.ask(
          client,
          `SELECT current_setting('lock_timeout') AS setting, (SELECT count(*) FROM pg_prepared_statements)::int AS statements,
             (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')::int AS locks,
             (SELECT count(*) FROM pg_listening_channels())::int AS channels, (SELECT count(*) FROM kept)::int AS rows`
        )
      ).toEqual([{ setting: "0", statements: 0, locks: 0, channels: 0, rows: 0 }])
    })
  )

  it.scopedLive("clients at the same time, and clients with other settings, have connections of their own", () =>
    Effect.gen(function* () {
      const { direct, url } = yield* make
      const named = `${url}?application_name=other`
      const pids = yield* Effect.scoped(
        Effect.gen(function* () {
          return [yield* backend(yield* Postgres.connect(url)), yield* backend(yield* Postgres.connect(url))]
        })
      )
      expect(new Set(pids).size).toBe(2)
      yield* settled(direct, "DISCARD ALL")
      expect(pids).not.toContain(yield* backend(yield* Postgres.connect(named)))
      const [row] = yield* Effect.flatMap(Postgres.connect(named), (client) =>
        Postgres.ask<{ readonly name: string }>(client, "SELECT current_setting('application_name') AS name")
      )
      expect(row?.name).toBe("other")
    })
  )

  it.scopedLive("a client that is cut off takes its connection and its transaction with it", () =>
    Effect.gen(function* () {
      const { direct, url } = yield* make
      yield* Postgres.once(direct, "CREATE TABLE kept (n int)")
      const client = new pg.Client({ connectionString: url })
      client.on("error", () => {})
      yield* Effect.promise(() => client.connect())
      const first = yield* backend(client)
      yield* Postgres.ask(client, "BEGIN")
      yield* Postgres.ask(client, "INSERT INTO kept VALUES (1)")
      client.connection.stream.destroy()
      yield* settled(direct, null)
      const next = yield* Postgres.connect(url)
      expect(yield* backend(next)).not.toBe(first)
      expect(yield* Postgres.ask(next, "SELECT n FROM kept")).toEqual([])
    })
  )

  it.scopedLive("a client loses its connection when the server ends it", () =>
    Effect.gen(function* () {
      const { direct, url } = yield* make
      const client = yield* Postgres.connect(url)
      const first = yield* backend(client)
      yield* Postgres.terminateAll(direct)
      expect(yield* Effect.isFailure(backend(client))).toBe(true)
      expect(yield* Effect.flatMap(Postgres.connect(url), backend)).not.toBe(first)
    })
  )
})
