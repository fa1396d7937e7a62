/** The storage suite over PostgreSQL. */
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { storageSuite } from "skein/testing"
import { afterAll } from "vitest"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as AssetTable from "../../../../src/adapters/postgres/AssetTable.js"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
import { createAndStart, openBatch } from "../../../../src/adapters/testing/storage/fixture.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { bundle } from "../../../support/programs/Bundle.js"
import { storageIn } from "./layers.js"
import { emptied, fresh, migrated } from "./storage.js"

Postgres.describe("on a server", () => {
  const scope = Effect.runSync(Scope.make())
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const empty = Effect.flatten(Effect.runSync(Effect.cached(Scope.extend(emptied, scope))))
  const withAssets = Effect.map(empty, (options) =>
    Assets.layer.pipe(
      Layer.provideMerge(storageIn(options)),
      Layer.provide([AssetTable.layer(options), NodeHashing.layer, Identity.layer])
    )
  )
  storageSuite({
    name: "SqlStorage on PostgreSQL",
    layer: Layer.unwrapScoped(Effect.map(empty, storageIn)),
    runs: 5,
    isInOrder: false,
    processes: Effect.gen(function* () {
      const options = yield* fresh
      const program = yield* bundle(new URL("served.ts", import.meta.url), { whole: true })
      const args = [program, Redacted.value(options.url), options.schema]
      return { layer: storageIn(options), program: { command: process.execPath, args } }
    }),
    assets: Layer.unwrapScoped(withAssets)
  })

  /** What is in a schema: rows of its tables, values of its counters. */
  const contents = ({ schema, url }: PostgresStorage.Options) =>
    Effect.gen(function* () {
      const client = yield* Postgres.connect(Redacted.value(url))
      yield* Postgres.ask(client, `SET search_path = ${schema}`)
      const counters = yield* Postgres.ask(
        client,
        "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1"
      )
      const tables = yield* Postgres.ask<{ readonly name: string }>(
        client,
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
      )
      const rows = yield* Effect.forEach(tables, ({ name }) => {
        const columns = name === "migrations" ? "version, name" : "*"
        return Effect.map(Postgres.ask(client, `SELECT ${columns} FROM ${name}`), (rows) => ({ name, rows }))
      })
      return { counters, rows }
    }).pipe(Effect.scoped)

  it.scopedLive("a schema that is used again is as a new one", () =>
    Effect.gen(function* () {
      const made = yield* contents(yield* migrated)
      const used = yield* empty
      expect(yield* contents(used)).toEqual(made)
      const storage = Layer.provide(storageIn(used), EngineConfig.layer({}))
      yield* Effect.provide(
        Effect.flatMap(createAndStart(), ({ lease }) => openBatch(lease, "c1")),
        storage
      )
      expect(yield* contents(used)).not.toEqual(made)
      expect(yield* contents(yield* empty)).toEqual(made)
    })
  )
})
