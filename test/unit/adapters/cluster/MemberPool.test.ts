import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { createServer } from "node:net"
import { setImmediate } from "node:timers/promises"
import { expect } from "vitest"
import * as MemberPool from "../../../../src/adapters/cluster/MemberPool.js"
import * as Membership from "../../../../src/adapters/cluster/Membership.js"
import * as Settings from "../../../../src/adapters/cluster/Settings.js"
import * as Postgres from "../../../support/postgres/Postgres.js"

Postgres.describe("the connections of a cluster member", () => {
  it.scopedLive("end with it, even if a fiber was interrupted while it waited for one", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const scope = yield* Scope.make()
      const acquire = MemberPool.make({ url: Redacted.make(url), schema: "public" })
      const layer = PgClient.layerFromPool({ acquire })
      const sql = Context.get(yield* Layer.buildWithScope(layer, scope), SqlClient.SqlClient)
      const holding = yield* Scope.make()
      yield* Effect.replicateEffect(Scope.extend(sql.reserve, holding), 3)
      // No connection is left for it, so it waits in the pool.
      const taking = yield* Effect.fork(Effect.scoped(Effect.zipRight(sql.reserve, Effect.never)))
      yield* Effect.promise(() => setImmediate())
      yield* Fiber.interrupt(taking)
      yield* Scope.close(holding, Exit.void)

      yield* Scope.close(scope, Exit.void)
      const members = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'skein cluster'"
      const gone = Effect.repeat(
        Postgres.once<{ readonly n: number }>(url, `${members} AND datname = current_database()`),
        {
          until: ([row]) => row?.n === 0
        }
      )
      expect(yield* gone).toEqual([{ n: 0 }])
    })
  )

  it.scopedLive("begin without settings, which poolers refuse", () =>
    Effect.gen(function* () {
      const began = yield* Deferred.make<string>()
      const server = createServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", (bytes) => {
          Effect.runFork(Deferred.succeed(began, bytes.toString("latin1")))
          socket.destroy()
        })
      })
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => server.close())
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const pool = yield* MemberPool.make({ url: Redacted.make(`postgres://a@127.0.0.1:${port}/b`), schema: "public" })
      yield* Effect.ignore(Effect.tryPromise(() => pool.query("SELECT 1")))
      const names = (yield* Deferred.await(began))
        .slice(8)
        .split("\0")
        .filter((_, index) => index % 2 === 0)
      expect(names.filter((name) => name !== "").toSorted()).toEqual([
        "application_name",
        "client_encoding",
        "database",
        "user"
      ])
    })
  )

  it.live("that cannot be opened are a failure of the cluster, with its code", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const limited = new URL(url)
      limited.username = `limited_${process.pid}`
      limited.password = "p"
      yield* Postgres.once(url, `CREATE ROLE ${limited.username} LOGIN PASSWORD 'p' CONNECTION LIMIT 1`)
      yield* Postgres.once(url, `GRANT CREATE ON SCHEMA public TO ${limited.username}`)
      const settings = { ...(yield* Settings.checked({})), url: Redacted.make(limited.href), schema: "public" }
      expect(yield* Effect.flip(Effect.scoped(Layer.build(Membership.client(settings))))).toMatchObject({
        _tag: "StorageFailed",
        code: "53300"
      })
    }).pipe(Effect.scoped)
  )
})
