import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { setImmediate } from "node:timers/promises"
import { expect } from "vitest"
import * as MemberPool from "../../../../src/adapters/cluster/MemberPool.js"
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
})
