/** The storage suite over PostgreSQL. */
import { Effect, Layer, Redacted } from "effect"
import { storageSuite } from "skein/testing"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as AssetTable from "../../../../src/adapters/postgres/AssetTable.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { bundle } from "../../../support/programs/Bundle.js"
import { storageIn } from "./layers.js"
import { fresh } from "./storage.js"

const withAssets = Effect.map(fresh, (options) =>
  Assets.layer.pipe(
    Layer.provideMerge(storageIn(options)),
    Layer.provide([AssetTable.layer(options), NodeHashing.layer, Identity.layer])
  )
)

Postgres.describe("on a server", () => {
  storageSuite({
    name: "SqlStorage on PostgreSQL",
    layer: Layer.unwrapScoped(Effect.map(fresh, storageIn)),
    runs: 5,
    isInOrder: false,
    processes: Effect.gen(function* () {
      const options = yield* fresh
      const program = yield* bundle(new URL("served.ts", import.meta.url))
      const args = [program, Redacted.value(options.url), options.schema]
      return { layer: storageIn(options), program: { command: process.execPath, args } }
    }),
    assets: Layer.unwrapScoped(withAssets)
  })
})
