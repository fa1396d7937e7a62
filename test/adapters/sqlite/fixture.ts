/** What the tests of the SQLite storage share: data folders that go away, and the storage over them. */
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import * as EventSignals from "../../../src/services/EventSignals.js"
import { Ids } from "../../../src/services/Ids.js"
import * as SqlStorage from "../../../src/services/storage/SqlStorage.js"
import * as WriteLane from "../../../src/services/WriteLane.js"

/** An empty folder, removed with everything in it when the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-test-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A data folder that does not exist yet. */
export const layerDirectory = Layer.scoped(
  DataDirectory,
  Effect.map(folder, (path) => join(path, "data"))
)

/** The `skein.db` of the data folder. */
export const databasePath = Effect.map(DataDirectory, (directory) => join(directory, "skein.db"))

let lanes = 0
const layerIds = Layer.succeed(Ids, { next: (prefix) => Effect.sync(() => `${prefix}_${process.pid}_${lanes++}`) })

/** The lane and the storage over whatever database is given. */
export const layerStorage = SqlStorage.layer.pipe(
  Layer.provideMerge(WriteLane.layer),
  Layer.provideMerge(EventSignals.layer),
  Layer.provide(layerIds)
)

/** Everything over a data folder, built anew wherever it is provided. */
export const layer = Layer.fresh(layerStorage.pipe(Layer.provideMerge(SqliteDatabase.layer)))

/** The same over a folder of its own. */
export const layerTemporary = Layer.provideMerge(layer, Layer.fresh(layerDirectory))

/** Builds a layer that lives as long as the scope. */
export const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.build(layer)

/** The services of a storage, by name. */
export const services = Context.get
