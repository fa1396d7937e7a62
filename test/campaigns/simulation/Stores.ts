/** Storages that simulated processes share. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, type Scope } from "effect"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import * as EventSignals from "../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../src/services/storage/memory/MemoryStorage.js"
import * as Faults from "./Faults.js"
import { config, type Ground } from "./World.js"

/** Provides processes with their ground; scoped to one simulation. */
export type Store = (disk: Faults.Disk) => Effect.Effect<Ground, never, Scope.Scope>

/** One storage in memory. */
export const memory: Store = () =>
  Layer.build(
    MemoryStorage.layer.pipe(Layer.provideMerge(EventSignals.layer), Layer.provide(config), Layer.fresh)
  ).pipe(Effect.orDie, Effect.map(Layer.succeedContext))

/** One SQLite database; each process has its own connections, on which statements fail now and then. */
export const sqlite: Store = (disk) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-simulation-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) =>
      SqliteStorage.layerOver(Faults.inject(disk, SqliteDatabase.layer)).pipe(
        Layer.provide(Layer.succeed(DataDirectory, folder))
      )
  )
