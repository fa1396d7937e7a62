/** One connection to a real server: what it guarantees to the code that sends statements on it. */
import { it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { inspect } from "node:util"
import { expect } from "vitest"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"

const optionsAt = (url: string, more: Partial<Connection.Options> = {}): Connection.Options => ({
  url: Redacted.make(url),
  schema: "public",
  applicationName: "skein test",
  isLane: true,
  lockMillis: 2_000,
  ...more
})

const connect = (url: string, more?: Partial<Connection.Options>) => Connection.scoped(optionsAt(url, more))

const setUp = Effect.gen(function* () {
  const direct = yield* Postgres.database
  yield* Postgres.once(direct, "CREATE TABLE kept (n int8 PRIMARY KEY)")
  const proxy = yield* Proxy.make(direct)
  return { direct, proxy }
})

Postgres.describe("A connection to PostgreSQL", () => {
  it.scoped("answers with rows, their count and the kind of statement", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const connection = yield* connect(direct)
      expect(yield* Connection.ask(connection, "INSERT INTO kept SELECT generate_series(1, $1::int)", [3])).toEqual({
        rows: [],
        count: 3,
        command: "INSERT"
      })
      expect(
        yield* Connection.ask(
          connection,
          `SELECT $1::int8 AS "bigInt", sum(n) AS total, '{"b":1,"a":2}'::json AS json FROM kept`,
          [9_007_199_254_740_991n]
        )
      ).toEqual({
        rows: [{ bigInt: 9_007_199_254_740_991, total: 6, json: '{"b":1,"a":2}' }],
        count: 1,
        command: "SELECT"
      })
      const bytes = yield* Connection.ask(connection, "SELECT $1::bytea AS bytes, $2::text AS nothing", [
        Uint8Array.of(0, 255),
        null
      ])
      expect(bytes.rows).toEqual([{ bytes: Buffer.from([0, 255]), nothing: null }])
    })
  )

  it.scoped("sends without waiting for earlier answers, and returns answers in order", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* setUp
      const connection = yield* connect(proxy.url)
      const holder = yield* Postgres.connect(direct)
      yield* Postgres.ask(holder, "BEGIN; LOCK TABLE kept")
      const order: Array<number> = []
      const asked = yield* Effect.forEach([0, 1, 2, 3], (n) =>
        Effect.fork(
          Effect.tap(
            Connection.ask(connection, n === 0 ? "INSERT INTO kept VALUES ($1)" : "SELECT $1::int AS n", [n]),
            () => Effect.sync(() => order.push(n))
          )
        )
      )
      yield* proxy.until(() => proxy.statements.length === 5)
      expect(order).toEqual([])
      yield* Postgres.ask(holder, "ROLLBACK")
      yield* Effect.forEach(asked, Fiber.join)
      expect(order).toEqual([0, 1, 2, 3])
    })
  )

  it.scoped("prepares a statement once, even after it could not be prepared", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const connection = yield* connect(direct)
      const texts = [
        "BEGIN",
        "SELECT 1 / 0 AS n",
        "SELECT 7 AS n",
        "SELECT 7 AS n",
        "ROLLBACK",
        "SELECT 7 AS n",
        "SELECT 7 AS n",
        "SELECT 7 AS n"
      ]
      const answers = yield* Effect.forEach(
        texts,
        (text) =>
          Effect.match(Connection.ask(connection, text), { onFailure: ({ code }) => code, onSuccess: () => "" }),
        { concurrency: "unbounded" }
      )
      expect(answers).toEqual(["", "22012", "25P02", "25P02", "", "", "", ""])
      for (const _ of [1, 2, 3]) yield* Connection.ask(connection, "SELECT 7 AS n")
      const { rows } = yield* Connection.ask(
        connection,
        "SELECT sum(generic_plans + custom_plans) AS runs FROM pg_prepared_statements WHERE statement = 'SELECT 7 AS n'"
      )
      expect(rows).toEqual([{ runs: 3 }])
    })
  )

  it.scoped("sets its search path, timeouts, planner options, read-only mode and commit mode", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      yield* Postgres.once(direct, `CREATE SCHEMA "a ""schema"`)
      yield* Postgres.once(direct, `ALTER DATABASE ${new URL(direct).pathname.slice(1)} SET synchronous_commit = off`)
      const shown = (connection: Connection.Connection) =>
        Effect.forEach(
          [
            "search_path",
            "lock_timeout",
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "enable_seqscan",
            "default_transaction_read_only",
            "synchronous_commit",
            "application_name"
          ],
          (name) =>
            Effect.map(Connection.ask(connection, "SELECT current_setting($1) AS value", [name]), ({ rows }) => rows[0])
        )
      const values = (...texts: ReadonlyArray<string>) => texts.map((value) => ({ value }))
      expect(yield* Effect.flatMap(connect(direct, { schema: 'a "schema' }), shown)).toEqual(
        values('"a ""schema"', "2s", "30s", "10s", "off", "off", "on", "skein test")
      )
      expect(yield* Effect.flatMap(connect(direct, { isLane: false, scans: true }), shown)).toEqual(
        values('"public"', "2s", "0", "10s", "on", "on", "on", "skein test")
      )
      for (const [idleMillis, shows] of [
        [4_000.5, "4s"],
        [60_000, "10s"]
      ] as const) {
        const [, , , idle] = yield* Effect.flatMap(connect(direct, { idleMillis }), shown)
        expect(idle).toEqual({ value: shows })
      }
    })
  )

  it.scoped("classifies a failure by its code", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const connection = yield* connect(direct)
      const kinds = {
        busy: ["55P03", "40001", "40P01"],
        constraint: ["23505", "23503", "23514"],
        full: ["53100"],
        other: ["57014", "42P01", "25006", "53200", "XX000"]
      }
      for (const [kind, codes] of Object.entries(kinds))
        for (const code of codes)
          expect(
            yield* Effect.flip(Connection.ask(connection, `DO $$ BEGIN RAISE SQLSTATE '${code}'; END $$`))
          ).toMatchObject({ _tag: "SqlFailure", kind, code })
      expect(connection.isOpen()).toBe(true)
    })
  )

  it.scoped("keeps the text and values of a statement out of its failure", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const connection = yield* connect(direct)
      yield* Postgres.once(direct, "CREATE TABLE canaries (canary text PRIMARY KEY)")
      const insert = Connection.ask(connection, "INSERT INTO canaries VALUES ($1)", ["canary"])
      yield* insert
      const failures = [
        yield* Effect.flip(insert),
        yield* Effect.flip(Connection.ask(connection, "SELECT canary FROM")),
        yield* Effect.flip(Connection.ask(connection, "SELECT $1::int AS n", ["canary"]))
      ]
      expect(failures.map(({ code, kind }) => [code, kind])).toEqual([
        ["23505", "constraint"],
        ["42601", "other"],
        ["22P02", "other"]
      ])
      for (const failure of failures)
        expect(inspect(failure, { depth: 10, showHidden: true }) + JSON.stringify(failure) + failure.stack).not.toMatch(
          /canary(?!\.|\/)/i
        )
    })
  )

  it.scoped("waits for a lock up to its limit, then fails as busy", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const holder = yield* Postgres.connect(direct)
      yield* Postgres.ask(holder, "BEGIN; LOCK TABLE kept")
      const connection = yield* connect(direct, { lockMillis: 50 })
      const failure = yield* Effect.flip(Connection.ask(connection, "INSERT INTO kept VALUES (1)"))
      expect(failure).toMatchObject({ kind: "busy", code: "55P03" })
    })
  )

  it.scoped("refuses writes unless it is a lane's", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const connection = yield* connect(direct, { isLane: false })
      expect(yield* Effect.flip(Connection.ask(connection, "INSERT INTO kept VALUES (1)"))).toMatchObject({
        kind: "other",
        code: "25006"
      })
    })
  )

  for (const [name, end, code] of [
    ["the server ends it", ({ direct }: { readonly direct: string }) => Postgres.terminateAll(direct), "57P01"],
    ["it is cut", ({ proxy }: { readonly proxy: Proxy.Proxy }) => proxy.cutAll, "CONNECTION_LOST"]
  ] as const) {
    it.scoped(`is spoilt once ${name}: unanswered and later statements fail`, () =>
      Effect.gen(function* () {
        const parts = yield* setUp
        const connection = yield* connect(parts.proxy.url)
        const asked = yield* Effect.forEach(["SELECT pg_sleep(60)", "SELECT 1", "SELECT 2"], (text) =>
          Effect.fork(Effect.flip(Connection.ask(connection, text)))
        )
        yield* parts.proxy.until(() => parts.proxy.statements.length === 4)
        yield* end(parts)
        const failures = yield* Effect.forEach(asked, Fiber.join)
        expect(failures.map(({ code, kind }) => [code, kind])).toEqual(failures.map(() => [code, "spoilt"]))
        yield* Effect.promise(() => connection.ended)
        expect(connection.isOpen()).toBe(false)
        expect(yield* Effect.flip(Connection.ask(connection, "SELECT 3"))).toMatchObject({ code, kind: "spoilt" })
        yield* Effect.promise(() => connection.close())
      })
    )
  }

  it.scoped("is ended by the server when its transaction is idle for too long, and holds no lock any more", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const [connection, other] = yield* Effect.all([connect(direct, { idleMillis: 50 }), connect(direct)])
      const texts = ["BEGIN", "INSERT INTO kept VALUES (1)"]
      yield* Effect.forEach(texts, (text) => Connection.ask(connection, text), { concurrency: "unbounded" })
      const waiting = yield* Effect.fork(Connection.ask(other, "INSERT INTO kept VALUES (1)"))
      yield* Effect.promise(() => connection.ended)
      expect(yield* Fiber.join(waiting)).toMatchObject({ count: 1 })
      expect(yield* Effect.flip(Connection.ask(connection, "COMMIT"))).toMatchObject({ code: "25P03", kind: "spoilt" })
    })
  )

  it.scoped("leaves no scan behind on the server when its client is gone", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* setUp
      const [scan, other] = yield* Effect.all([
        connect(proxy.url, { scans: true, isLane: false }),
        connect(direct, { lockMillis: 60_000 })
      ])
      yield* Connection.ask(scan, "SELECT pg_advisory_lock(1)")
      const asked = yield* Effect.fork(Effect.flip(Connection.ask(scan, "SELECT pg_sleep(3600)")))
      yield* proxy.until(() => proxy.statements.some((text) => text.includes("pg_sleep")))
      yield* proxy.cutAll
      expect(yield* Fiber.join(asked)).toMatchObject({ kind: "spoilt" })
      // The server gives the lock away when it ends the connection.
      yield* Connection.ask(other, "SELECT pg_advisory_lock(1)")
    })
  )

  it.scoped("closes once everything sent is answered, or soon if nothing answers", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* setUp
      const [usual, hung] = yield* Effect.all([connect(direct), connect(proxy.url)])
      const inserted = usual.send("INSERT INTO kept SELECT generate_series(1, 1000)", [])
      yield* Effect.promise(() => usual.close())
      expect(yield* Effect.promise(() => inserted)).toMatchObject({ count: 1000 })
      yield* proxy.partition
      const asked = yield* Effect.fork(Effect.flip(Connection.ask(hung, "SELECT 1")))
      yield* Effect.yieldNow()
      yield* Effect.promise(() => hung.close())
      expect(yield* Fiber.join(asked)).toMatchObject({ kind: "spoilt" })
    })
  )

  it.scoped("fails to open with a wrong URL or without a server, for a reason without secrets", () =>
    Effect.gen(function* () {
      const { direct } = yield* setUp
      const wrong = (change: (url: URL) => void) => {
        const url = new URL(direct)
        change(url)
        return Effect.flip(Connection.open(optionsAt(url.href)))
      }
      const noAccess = (detail: string) => ({ _tag: "StorageUnusable", reason: "no-access", detail })
      const failures = [
        yield* wrong((url) => (url.password = "canary")),
        yield* wrong((url) => (url.pathname = "/nowhere")),
        yield* wrong((url) => (url.port = "1")),
        yield* Effect.flip(Connection.open(optionsAt("postgres://canary:canary@:::::/")))
      ]
      expect(failures[0]).toMatchObject(noAccess("28P01"))
      expect(failures[1]).toMatchObject({
        ...noAccess("3D000"),
        path: expect.stringMatching(/^postgres:\/\/127[^@]*\/nowhere$/)
      })
      expect(failures[2]).toMatchObject({ _tag: "StorageFailed", code: "ECONNREFUSED" })
      expect(failures[3]).toMatchObject(noAccess("INVALID_URL"))
      for (const failure of failures) {
        const all = inspect(failure, { depth: 10 })
        expect(all).not.toContain("canary")
        expect(all).not.toContain(new URL(direct).password)
      }
    })
  )

  it.scoped("leaves nothing open when it is interrupted while connecting", () =>
    Effect.gen(function* () {
      const { proxy } = yield* setUp
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* proxy.partition
          const opening = yield* Effect.fork(Connection.open(optionsAt(proxy.url)))
          yield* proxy.until(() => proxy.connections() === 1)
          yield* Fiber.interrupt(opening)
        })
      )
      yield* proxy.until(() => proxy.connections() === 0)
    })
  )
})
