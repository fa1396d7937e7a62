/** What the support for PostgreSQL guarantees to tests. */
import { it } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule, Scope } from "effect"
import { existsSync } from "node:fs"
import { connect } from "node:net"
import { dirname } from "node:path"
import { expect } from "vitest"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"

/** The result of a connection to the port. */
const knock = (port: number) =>
  Effect.async<string>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => resume(Effect.succeed("connected")))
    socket.on("error", (error) => resume(Effect.succeed("code" in error ? String(error.code) : "failed")))
    return Effect.sync(() => socket.destroy())
  })

Postgres.describe("Databases for tests", () => {
  it.scoped("are empty, separate, in UTF-8 ordered by bytes, and gone with the scope", () =>
    Effect.gen(function* () {
      const other = yield* Postgres.database
      const names = yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Postgres.database
          yield* Postgres.once(url, "CREATE TABLE only_here (n int)")
          expect(yield* Postgres.once(other, "SELECT to_regclass('only_here') AS found")).toEqual([{ found: null }])
          // A client that is still connected does not keep the database alive.
          yield* Effect.provideService(Postgres.connect(url), Scope.Scope, yield* Effect.scope)
          return yield* Postgres.once<{ readonly name: string; readonly sorted: string; readonly encoding: string }>(
            url,
            `SELECT current_database() AS name, current_setting('server_encoding') AS encoding,
              (SELECT string_agg(t, '' ORDER BY t) FROM unnest(ARRAY['b', 'B', 'a', 'ä', 'A']) t) AS sorted`
          )
        })
      )
      expect(names[0]).toMatchObject({ encoding: "UTF8", sorted: "ABabä" })
      const left = yield* Postgres.once(other, "SELECT 1 FROM pg_database WHERE datname = $1", [names[0]?.name ?? ""])
      expect(left).toEqual([])
    })
  )

  it.scoped("are copied from one that is filled once", () =>
    Effect.gen(function* () {
      let filled = 0
      const copy = Postgres.copyOf("filled_once", (url) =>
        Effect.zipRight(
          Effect.sync(() => (filled += 1)),
          Postgres.once(url, "CREATE TABLE filled AS SELECT 7 AS n")
        )
      )
      const urls = yield* Effect.all([copy, copy, copy], { concurrency: "unbounded" })
      yield* Postgres.once(urls[0], "DELETE FROM filled")
      expect(yield* Postgres.once(urls[1], "SELECT n FROM filled")).toEqual([{ n: 7 }])
      expect({ filled, different: new Set(urls).size }).toEqual({ filled: 1, different: 3 })
    })
  )

  it.scoped("can have all connections to them ended", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const clients = yield* Effect.all([Postgres.connect(url), Postgres.connect(url)])
      const waiting = yield* Effect.forkScoped(Effect.flip(Postgres.ask(clients[0], "SELECT pg_sleep(60)")))
      expect(yield* Postgres.terminateAll(url)).toBe(2)
      expect(yield* Fiber.join(waiting)).toMatchObject({ code: "57P01" })
      expect(yield* Postgres.once(url, "SELECT 1 AS n")).toEqual([{ n: 1 }])
    })
  )
})

Postgres.describeOwn("A server of a test's own", () => {
  it.scoped("loses its connections at a restart, but nothing that was committed", () =>
    Effect.gen(function* () {
      const { restart, url } = yield* Postgres.server
      const client = yield* Postgres.connect(url)
      yield* Postgres.ask(client, "CREATE TABLE kept AS SELECT 1 AS n")
      yield* Postgres.ask(client, "BEGIN")
      yield* Postgres.ask(client, "INSERT INTO kept VALUES (2)")
      yield* restart
      yield* Effect.flip(Postgres.ask(client, "COMMIT"))
      expect(yield* Postgres.once(url, "SELECT n FROM kept")).toEqual([{ n: 1 }])
    })
  )

  it.scoped("answers nobody while it is frozen, and then goes on", () =>
    Effect.gen(function* () {
      const { freeze, thaw, url } = yield* Postgres.server
      const client = yield* Postgres.connect(url)
      const order: Array<string> = []
      yield* freeze
      const answer = yield* Postgres.ask<{ readonly n: number }>(client, "SELECT 1 AS n").pipe(
        Effect.tap(() => Effect.sync(() => order.push("answer"))),
        Effect.forkScoped
      )
      // Long enough for an answer to arrive, if there were one.
      yield* Effect.repeatN(
        Effect.promise(() => import("node:timers/promises").then((it) => it.setImmediate())),
        200
      )
      order.push("thaw")
      yield* thaw
      expect(yield* Fiber.join(answer)).toEqual([{ n: 1 }])
      expect(order).toEqual(["thaw", "answer"])
    })
  )

  it.scopedLive("ends with its process, however that ends, and leaves no file", () =>
    Effect.gen(function* () {
      const program = yield* bundle(new URL("starter.ts", import.meta.url))
      const started = yield* Process.start(process.execPath, [program])
      const [data = "", ...ports] = Option.getOrElse(yield* started.line, () => "").split(" ")
      expect(yield* Effect.forEach(ports, (port) => knock(Number(port)))).toEqual(["connected", "connected"])
      yield* started.signal("SIGKILL")
      yield* Effect.repeat(
        Effect.sync(() => existsSync(dirname(data))),
        { while: (exists) => exists, schedule: Schedule.spaced("20 millis") }
      )
      expect(yield* Effect.forEach(ports, (port) => knock(Number(port)))).toEqual(["ECONNREFUSED", "ECONNREFUSED"])
    })
  )
})
