/** The proxy cuts exactly where it was told to, judged by what the server has and what the client receives. */
import { it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import pg from "pg"
import { expect } from "vitest"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"

const setUp = Effect.gen(function* () {
  const direct = yield* Postgres.database
  yield* Postgres.once(direct, "CREATE TABLE kept (n int)")
  const proxy = yield* Proxy.make(direct)
  const kept = Effect.map(Postgres.once<{ readonly n: number }>(direct, "SELECT n FROM kept ORDER BY n"), (rows) =>
    rows.map(({ n }) => n)
  )
  return { direct, proxy, kept }
})

/**
 * Two inserts in a transaction. Returns for each statement the beginning of its text if it was answered, else `lost`.
 */
const transact = (url: string, isPipelined: boolean) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new pg.Client({ connectionString: url, pipeline: isPipelined })
        client.on("error", () => {})
        return await client.connect()
      }),
      (client) => Effect.promise(() => client.end())
    )
    const heard: Array<string> = []
    const say = (text: string, values: ReadonlyArray<number> = []) =>
      Effect.tryPromise(() => client.query({ text, values: [...values], name: text })).pipe(
        Effect.match({ onFailure: () => heard.push("lost"), onSuccess: () => heard.push(text.slice(0, 6)) })
      )
    yield* Effect.all(
      [say("BEGIN"), say("INSERT INTO kept VALUES ($1)", [1]), say("INSERT INTO kept VALUES ($1)", [2]), say("COMMIT")],
      { concurrency: isPipelined ? "unbounded" : 1 }
    )
    return heard
  }).pipe(Effect.scoped)

Postgres.describe("A proxy in front of PostgreSQL", () => {
  for (const isPipelined of [false, true]) {
    const how = isPipelined ? "sent all at once" : "sent one after the other"

    it.scoped(`passes on statements that are ${how}, and records them`, () =>
      Effect.gen(function* () {
        const { kept, proxy } = yield* setUp
        expect(yield* transact(proxy.url, isPipelined)).toEqual(["BEGIN", "INSERT", "INSERT", "COMMIT"])
        expect(proxy.statements).toEqual([
          "BEGIN",
          "INSERT INTO kept VALUES ($1)",
          "INSERT INTO kept VALUES ($1)",
          "COMMIT"
        ])
        expect(yield* kept).toEqual([1, 2])
      })
    )

    for (const [name, cut, answered, stored] of [
      ["at BEGIN", Proxy.atBegin, 0, []],
      ["at the second statement", Proxy.atStatement(2), 1, []],
      ["before COMMIT", Proxy.beforeCommit, 3, []],
      ["after COMMIT", Proxy.afterCommit, 3, [1, 2]]
    ] as const) {
      it.scoped(`cuts ${name} when statements are ${how}`, () =>
        Effect.gen(function* () {
          const { kept, proxy } = yield* setUp
          const { reached } = yield* proxy.cut(cut)
          const heard = yield* transact(proxy.url, isPipelined)
          yield* reached
          expect(heard.filter((what) => what === "lost")).not.toEqual([])
          // Data that is on its way when the connection is cut may be lost with it.
          if (!isPipelined) expect(heard.indexOf("lost")).toBe(answered)
          if (cut.what === "unheard") expect(heard.indexOf("lost")).toBe(answered)
          expect(yield* kept).toEqual(stored)
          // The connection is cut only once.
          expect(yield* transact(proxy.url, isPipelined)).not.toContain("lost")
        })
      )
    }
  }

  it.scoped("goes on after failed statements, even with several in one query", () =>
    Effect.gen(function* () {
      const { kept, proxy } = yield* setUp
      const client = yield* Postgres.connect(proxy.url)
      yield* Effect.flip(Postgres.ask(client, "SELECT 1 / 0 AS n"))
      yield* Effect.flip(Postgres.ask(client, "SELECT 1; SELECT 1 / 0; SELECT 2"))
      yield* Effect.flip(Postgres.ask(client, "SELECT nothing FROM nowhere WHERE $1 = 1", [1]))
      const { reached } = yield* proxy.cut(Proxy.afterCommit)
      yield* Postgres.ask(client, "BEGIN")
      yield* Postgres.ask(client, "INSERT INTO kept SELECT generate_series(1, 3)")
      yield* Effect.flip(Postgres.ask(client, "COMMIT"))
      yield* reached
      expect(yield* kept).toEqual([1, 2, 3])
    })
  )

  it.scoped("refuses encryption, as the server does", () =>
    Effect.gen(function* () {
      const { proxy } = yield* setUp
      const client = new pg.Client({ connectionString: proxy.url, ssl: true })
      expect(yield* Effect.flip(Effect.tryPromise({ try: () => client.connect(), catch: String }))).toContain("SSL")
    })
  )

  it.scoped("cuts all connections", () =>
    Effect.gen(function* () {
      const { proxy } = yield* setUp
      const client = yield* Postgres.connect(proxy.url)
      const waiting = yield* Effect.forkScoped(Effect.flip(Postgres.ask(client, "SELECT pg_sleep(60)")))
      expect(proxy.connections()).toBe(1)
      yield* proxy.cutAll
      yield* Fiber.join(waiting)
      expect(proxy.connections()).toBe(0)
    })
  )

  it.scoped("passes on nothing while it is partitioned, and everything afterwards", () =>
    Effect.gen(function* () {
      const { direct, kept, proxy } = yield* setUp
      const client = yield* Postgres.connect(proxy.url)
      const [old, fresh] = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* proxy.partition
          const old = yield* Effect.fork(Postgres.ask(client, "INSERT INTO kept VALUES (1)"))
          const fresh = yield* Effect.fork(Postgres.once(proxy.url, "INSERT INTO kept VALUES (2)"))
          // Round trips that bypass the wall, each longer than one through it.
          yield* Effect.repeatN(Postgres.once(direct, "SELECT 1"), 3)
          expect(yield* kept).toEqual([])
          return [old, fresh] as const
        })
      )
      yield* Fiber.join(old)
      yield* Fiber.join(fresh)
      expect(yield* kept).toEqual([1, 2])
    })
  )
})
