/** SQLite storage in a folder. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DataLayout from "../../../../src/adapters/sqlite/DataLayout.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../../../src/adapters/sqlite/SqliteStorage.js"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
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

/** Makes a folder that is removed at the end of the run: see `globalSetup.ts`, which runs in this process's parent. */
export const lastingFolder = (): string => mkdtempSync(join(tmpdir(), `skein-killed-${process.ppid}-`))

/** Storage in a folder, opened again each time that it is built. */
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

let written: Promise<Buffer> | undefined

/** Returns what the file of a new database holds. */
const write = () =>
  Effect.gen(function* () {
    const directory = yield* folder
    yield* Effect.scoped(Layer.build(Layer.provide(engineIn(directory), EngineConfig.layer({}))))
    return readFileSync(DataLayout.databaseIn(directory))
  }).pipe(Effect.scoped, Effect.runPromise)

/** A folder with a new database, copied: to open it takes much less than to create one. */
export const emptyDatabase = Effect.tap(folder, (directory) =>
  Effect.map(
    Effect.promise(() => (written ??= write())),
    (bytes) => writeFileSync(DataLayout.databaseIn(directory), bytes, { mode: 0o600 })
  )
)
