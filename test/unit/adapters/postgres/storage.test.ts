/** The storage suite over PostgreSQL. */
import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { storageSuite } from "skein/testing"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as AssetFiles from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { bundle } from "../../../support/programs/Bundle.js"
import { folder } from "../../services/storage/disk.js"
import { storageIn } from "./layers.js"
import { fresh } from "./storage.js"

const withAssets = Effect.map(Effect.all([fresh, folder]), ([options, directory]) =>
  Assets.layer.pipe(
    Layer.provideMerge(storageIn(options)),
    Layer.provide(AssetFiles.layer),
    Layer.provide([NodeFolders.layer, NodeFileSystem.layer, NodePath.layer, NodeHashing.layer, Identity.layer]),
    Layer.provide(Layer.succeed(DataDirectory, directory))
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
