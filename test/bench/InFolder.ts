/** Runs measurements in a folder of their own, which is removed afterwards. */
import { type Effect, Layer, ManagedRuntime } from "effect"
import * as Identity from "../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../src/adapters/sqlite/SqliteStorage.js"
import { DataDirectory } from "../../src/services/DataDirectory.js"
import type { Engines } from "../../src/services/Engines.js"
import type { Storage, StorageReader } from "../../src/services/storage/Storage.js"
import * as Raw from "./Raw.js"

/** Runs an effect with the services that are measured. */
export type Run<R> = <A, E>(effect: Effect.Effect<A, E, R>) => Promise<A>

export const inFolder = async <R, E, A>(
  layer: (folder: string) => Layer.Layer<R, E>,
  use: (run: Run<R>, folder: string) => Promise<A>
): Promise<A> => {
  const folder = Raw.folder()
  const runtime = ManagedRuntime.make(layer(folder))
  try {
    return await use((effect) => runtime.runPromise(effect), folder)
  } finally {
    await runtime.dispose()
    Raw.remove(folder)
  }
}

/** Storage without an engine. */
export const withStorage = <A>(
  use: (run: Run<Storage | StorageReader | Engines>, folder: string) => Promise<A>
): Promise<A> =>
  inFolder(
    (folder) =>
      SqliteStorage.layer.pipe(Layer.provideMerge(Identity.layer), Layer.provide(Layer.succeed(DataDirectory, folder))),
    use
  )
