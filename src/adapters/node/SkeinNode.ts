/**
 * The preset for Node: SQLite and files in one data folder, and all that an engine stands on. A host gives models,
 * tools and a policy, and gets a `Gateway`.
 *
 * Each call makes an engine of its own. A host's loggers and tracers reach its runs when they are provided under the
 * preset, with `Layer.provide`, or around everything.
 */
import { Config, type ConfigError, Effect, Layer } from "effect"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import * as AssetFiles from "../../services/assets/AssetFiles.js"
import * as Assets from "../../services/assets/Assets.js"
import type { Database } from "../../services/storage/sql/Database.js"
import * as Engine from "../../services/Engine.js"
import * as EngineConfig from "../../services/EngineConfig.js"
import * as EventSignals from "../../services/storage/EventSignals.js"
import type { Gateway } from "../../services/gateway/Gateway.js"
import type { Models } from "../../services/Model.js"
import type { Permissions } from "../../services/Permissions.js"
import * as ForeignCommits from "../../services/storage/sql/ForeignCommits.js"
import * as SqlStorage from "../../services/storage/sql/SqlStorage.js"
import type { Toolbox } from "../../services/Toolbox.js"
import * as WriteLane from "../../services/storage/sql/lane/WriteLane.js"
import * as Platform from "./Platform.js"
import * as SqliteDatabase from "../sqlite/SqliteDatabase.js"

export interface Options extends EngineConfig.Options {
  /** The data folder, created where there is none: `skein.db` and `assets/` are in it. */
  readonly data: string
}

/** Storage over a database, without an engine. */
export const layerStorageOver = <E, R>(database: Layer.Layer<Database, E, R>) =>
  Layer.merge(SqlStorage.layer, ForeignCommits.layer).pipe(
    Layer.provideMerge(WriteLane.layer),
    Layer.provide(database),
    Layer.provideMerge(EventSignals.layer)
  )

/** Storage in SQLite, without an engine. */
export const layerStorage = layerStorageOver(SqliteDatabase.layer)

/** An engine on a data folder. Fails when the folder's database cannot be used; it is then left as it was. */
export const layer = ({
  data,
  ...config
}: Options): Layer.Layer<Gateway, StorageUnusable | StorageFailed, Models | Toolbox | Permissions> =>
  Layer.fresh(
    Engine.layer.pipe(
      Layer.provide(Assets.layer),
      Layer.provide([layerStorage, AssetFiles.layer]),
      Layer.provide(Platform.layer(data, config))
    )
  )

/** The same, set up by `Config`. */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Gateway, StorageUnusable | StorageFailed | ConfigError.ConfigError, Models | Toolbox | Permissions> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
