import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { storageSuite } from "skein/testing"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as AssetFiles from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Long from "../../../support/Long.js"
import { emptyDatabase, engineIn, folder } from "./disk.js"

const assetsIn = (directory: string) =>
  Assets.layer.pipe(
    Layer.provideMerge(engineIn(directory)),
    Layer.provide(AssetFiles.layer),
    Layer.provide([NodeFolders.layer, NodeFileSystem.layer, NodePath.layer, NodeHashing.layer, Identity.layer]),
    Layer.provide(Layer.succeed(DataDirectory, directory))
  )

storageSuite({
  name: "SqlStorage on SQLite",
  // Waiting for the disk at each commit would prove nothing here: no test cuts the power.
  config: { synchronous: "NORMAL" },
  layer: Layer.unwrapScoped(Effect.map(emptyDatabase, engineIn)),
  runs: Long.isLong ? 40 : 10,
  processes: Effect.gen(function* () {
    const directory = yield* folder
    const program = yield* bundle(new URL("served.ts", import.meta.url), { whole: true })
    return { layer: engineIn(directory), program: { command: process.execPath, args: [program, directory] } }
  }),
  assets: Layer.unwrapScoped(Effect.map(emptyDatabase, assetsIn))
})
