/** What simulated processes share. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, type Scope } from "effect"
import { layerStorage } from "../../src/adapters/node.js"
import { DataDirectory } from "../../src/services/DataDirectory.js"
import * as EventSignals from "../../src/services/EventSignals.js"
import * as MemoryStorage from "../../src/services/memory/MemoryStorage.js"
import { config, type Ground } from "./World.js"

/** Gives processes their ground; scoped to one simulation. */
export type Store = Effect.Effect<Ground, never, Scope.Scope>

/** One storage in memory. */
export const memory: Store = Effect.map(
  Layer.build(MemoryStorage.layer.pipe(Layer.provideMerge(EventSignals.layer), Layer.provide(config), Layer.fresh)),
  Layer.succeedContext
)

/** One SQLite database; each process has its own connections. */
export const sqlite: Store = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-simulation-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => Layer.provide(layerStorage, Layer.succeed(DataDirectory, folder))
)
