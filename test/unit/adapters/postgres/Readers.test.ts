/** Connections for reading, on a real server that goes down and comes back. */
import { it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { expect } from "vitest"
import * as Readers from "../../../../src/adapters/postgres/Readers.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"

const readersOf = (url: string, more: Partial<Readers.Options> = {}) =>
  Readers.make({
    url: Redacted.make(url),
    schema: "public",
    applicationName: "skein test",
    isLane: false,
    lockMillis: 30_000,
    count: 2,
    busyMaxMillis: 30_000,
    ...more
  })

const rows = ({ query }: Readers.Readers, text: string) => Effect.map(query(text, []), ({ rows }) => rows)

Postgres.describe("Connections for reading", () => {
  it.scoped("open up to their number, and a slow statement holds up no other", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      yield* Postgres.once(url, "CREATE TABLE held (n int)")
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, "BEGIN; LOCK TABLE held")
      const readers = yield* readersOf(url)
      const slow = yield* Effect.fork(rows(readers, "SELECT n FROM held"))
      const pids = yield* Effect.replicateEffect(rows(readers, "SELECT pg_backend_pid() AS pid"), 20)
      expect(new Set(pids.map((found) => JSON.stringify(found))).size).toBe(1)
      yield* Postgres.ask(holder, "ROLLBACK")
      expect(yield* Fiber.join(slow)).toEqual([])
      const more = yield* Effect.replicateEffect(rows(readers, "SELECT pg_backend_pid() AS pid"), 20, {
        concurrency: "unbounded"
      })
      expect(new Set(more.map((found) => JSON.stringify(found))).size).toBe(2)
    })
  )

  it.scoped("open once for many queries at once, and return rows as arrays on request", () =>
    Effect.gen(function* () {
      const { query } = yield* readersOf(yield* Postgres.database, { count: 1 })
      const answers = yield* Effect.replicateEffect(query("SELECT pg_backend_pid(), 7 AS n, 8 AS n", [], true), 20, {
        concurrency: "unbounded"
      })
      const [first] = answers
      expect(first?.rows).toEqual([[expect.any(Number), 7, 8]])
      expect(answers).toEqual(answers.map(() => first))
    })
  )

  it.scopedLive("repeat a query that the server ended because it was in the way of others", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      yield* Postgres.once(url, "CREATE TABLE first (n int); CREATE TABLE second (n int)")
      // The reader looks for a deadlock after two seconds, the other side only long afterwards.
      yield* Postgres.once(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET deadlock_timeout = '2s'`)
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, "SET deadlock_timeout = '10min'")
      yield* Postgres.ask(holder, "BEGIN; LOCK TABLE second")
      const readers = yield* readersOf(url, { count: 1 })
      const reading = yield* Effect.fork(rows(readers, "SELECT first.n FROM first, second"))
      const waiting = Postgres.once(url, "SELECT 1 FROM pg_locks WHERE relation = 'second'::regclass AND NOT granted")
      yield* Effect.repeat(waiting, { until: (found) => found.length > 0 })
      yield* Postgres.ask(holder, "LOCK TABLE first")
      yield* Postgres.ask(holder, "ROLLBACK")
      expect(yield* Fiber.join(reading)).toEqual([])
    })
  )

  it.scopedLive("repeat a query whose connection was lost", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const proxy = yield* Proxy.make(url)
      const readers = yield* readersOf(proxy.url)
      for (const what of ["unsent", "unheard"] as const) {
        const { reached } = yield* proxy.cut({ what, when: ({ text }) => text === "SELECT 1 AS n" })
        expect(yield* rows(readers, "SELECT 1 AS n")).toEqual([{ n: 1 }])
        yield* reached
      }
      yield* Postgres.terminateAll(url)
      expect(yield* Effect.replicateEffect(rows(readers, "SELECT 1 AS n"), 5, { concurrency: 5 })).toHaveLength(5)
    })
  )

  it.scopedLive("are given up when the server cannot be reached in time", () =>
    Effect.gen(function* () {
      const proxy = yield* Effect.scoped(Effect.flatMap(Postgres.database, Proxy.make))
      const readers = yield* readersOf(proxy.url, { busyMaxMillis: 300 })
      expect(yield* Effect.flip(readers.query("SELECT 1", []))).toMatchObject({
        _tag: "StorageFailed",
        code: "ECONNREFUSED"
      })
    })
  )

  it.scoped("are given up at once with a wrong password", () =>
    Effect.gen(function* () {
      const url = new URL(yield* Postgres.database)
      url.password = "wrong"
      const readers = yield* readersOf(url.href)
      expect(yield* Effect.flip(readers.query("SELECT 1", []))).toMatchObject({ _tag: "StorageUnusable" })
    })
  )
})

Postgres.describeOwn("Connections for reading from a server that crashes", () => {
  it.scopedLive("read on once the server is back", () =>
    Effect.gen(function* () {
      const { restart, url } = yield* Postgres.server
      const readers = yield* readersOf(url)
      yield* rows(readers, "SELECT 1 AS n")
      const asked = yield* Effect.fork(rows(readers, "SELECT 1 AS n FROM pg_sleep(0.2)"))
      yield* Effect.yieldNow()
      yield* restart
      expect(yield* Fiber.join(asked)).toEqual([{ n: 1 }])
      expect(yield* rows(readers, "SELECT 1 AS n")).toEqual([{ n: 1 }])
    })
  )

  it.scopedLive("never use a standby, which may lack commits, before it takes over", () =>
    Effect.gen(function* () {
      const primary = yield* Postgres.server
      const standby = yield* Effect.orDie(primary.standby)
      const refused = yield* readersOf(standby.url, { busyMaxMillis: 300 })
      expect(yield* Effect.flip(refused.query("SELECT 1", []))).toMatchObject({ _tag: "StorageFailed", code: "25006" })
      const proxy = yield* Proxy.make(standby.url)
      const readers = yield* readersOf(proxy.url)
      const asked = yield* Effect.fork(rows(readers, "SELECT 1 AS n"))
      yield* proxy.until(() => proxy.statements.length > 0)
      yield* primary.kill
      yield* Postgres.once(standby.url, "SELECT pg_promote()")
      expect(yield* Fiber.join(asked)).toEqual([{ n: 1 }])
    })
  )
})
