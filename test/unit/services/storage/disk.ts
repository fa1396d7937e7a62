/** SQLite storage in a folder. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../../../src/adapters/sqlite/SqliteStorage.js"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as Query from "../../../../src/services/storage/sql/Query.js"
import * as SqlStorage from "../../../../src/services/storage/sql/SqlStorage.js"
import * as WriteLane from "../../../../src/services/storage/sql/lane/WriteLane.js"
import * as SequentialIds from "../../../support/SequentialIds.js"

/** A folder that is removed with its scope. */
export const folder = FileSystem.FileSystem.pipe(
  Effect.flatMap((files) => files.makeTempDirectoryScoped({ prefix: "skein-" })),
  Effect.provide(NodeFileSystem.layer)
)

/** Storage in that folder, opened again each time that it is built. */
export const storageIn = (directory: string) =>
  SqlStorage.layer.pipe(
    Layer.provide(Query.layer),
    Layer.provide(WriteLane.layer),
    Layer.provide(SqliteDatabase.layer),
    Layer.provide(SequentialIds.layer),
    Layer.provide(Layer.succeed(DataDirectory, directory)),
    Layer.fresh
  )

/** One engine's storage in that folder, with signals, including those for other engines' changes. */
export const engineIn = (directory: string) =>
  SqliteStorage.layer.pipe(Layer.provide([Identity.layerIds, Layer.succeed(DataDirectory, directory)]), Layer.fresh)
