/**
 * Hosts that share a PostgreSQL database and are stopped and started again, and whose server dies: no job is lost, and
 * none is done twice.
 */
import { it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { readdirSync } from "node:fs"
import { expect } from "vitest"
import { eventually } from "../../support/Eventually.js"
import * as Postgres from "../../support/postgres/Postgres.js"
import * as Proxy from "../../support/postgres/Proxy.js"
import { storageIn } from "../../unit/adapters/postgres/layers.js"
import { fresh } from "../../unit/adapters/postgres/storage.js"
import { folder } from "../../unit/services/storage/disk.js"
import { check, completed, jobs, lives, sessionsOf, stops } from "./Jobs.js"
import * as Reopened from "./Reopened.js"

Postgres.describe("P5 P9 many hosts on PostgreSQL: 24 jobs of two workers", () => {
  it.scopedLive(
    "that are killed and deployed while their connections are ended: each job is completed, and no call runs twice",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const options = yield* fresh
        const database = { url: Redacted.value(options.url), schema: options.schema }
        const setup = { folder: root, role: "settle", database, leaseMillis: 3_000 } as const
        const ending = yield* Effect.forkScoped(
          Effect.repeat(Postgres.terminateAll(database.url), Schedule.spaced("700 millis"))
        )
        const [one, other] = yield* Effect.all(
          [
            lives({ ...setup, jobs }, stops(["SIGTERM", "SIGKILL"], 7), [0, 10_000]),
            lives({ ...setup, jobs: jobs.toReversed() }, stops(["SIGKILL", "SIGTERM"], 9), [0])
          ],
          { concurrency: 2 }
        )
        yield* Fiber.interrupt(ending)
        expect([one.ends, other.ends]).toEqual([completed, completed])
        expect(Math.min(one.stopped, other.stopped)).toBeGreaterThan(0)
        const records = yield* Effect.provide(Reopened.recordsOf(sessionsOf(jobs)), Layer.fresh(storageIn(options)))
        const { ends } = check(root, jobs, records)
        expect([...ends].filter((end) => end !== "completed" && end !== "crashed")).toEqual([])
      })
  )
})

Postgres.describeOwn("P5 P9 two hosts on a PostgreSQL server with a synchronous standby", () => {
  for (const [what, deed] of [
    ["killed", "kill"],
    ["shut down for maintenance", "shutDown"]
  ] as const) {
    it.scopedLive(
      `complete each of 24 jobs, and run no call twice, when the server is ${what} and the standby takes over`,
      () =>
        Effect.gen(function* () {
          const root = yield* folder
          const primary = yield* Postgres.server
          const standby = yield* Effect.orDie(primary.standby)
          const { connections, redirect, url } = yield* Proxy.make(primary.url)
          const database = { url, schema: "skein" }
          const setup = { folder: root, role: "settle", database, leaseMillis: 3_000 } as const
          const working = yield* Effect.forkScoped(
            Effect.all([lives({ ...setup, jobs }, [], [0]), lives({ ...setup, jobs: jobs.toReversed() }, [], [0])], {
              concurrency: 2
            })
          )
          // Each job that has begun has a file.
          const begun = Effect.sync(() => readdirSync(root).filter((name) => jobs.includes(name)).length)
          yield* eventually(begun, (count) => count > 5)
          yield* primary[deed]
          yield* redirect(standby.url)
          yield* Postgres.once(standby.url, "SELECT pg_promote()")
          expect(connections()).toBeGreaterThan(0)
          const [one, other] = yield* Fiber.join(working)
          expect([one.ends, other.ends]).toEqual([completed, completed])
          const stored = storageIn({ ...database, url: Redacted.make(standby.url), lanes: 1, readers: 1 })
          check(root, jobs, yield* Effect.provide(Reopened.recordsOf(sessionsOf(jobs)), Layer.fresh(stored)))
        })
    )
  }
})
