/**
 * The preset for Node: SQLite and files in one data folder, and everything else that an engine needs. A host provides
 * its agents, and gets a `Gateway`.
 *
 * Each call makes an engine of its own, and its layer is that one engine however often a program provides it. A host's
 * loggers and tracers reach its runs when they are provided under the preset, with `Layer.provide`, or around everything.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Config, type ConfigError, Effect, Layer } from "effect"
import type { InvalidInput, StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import type { Agents } from "../../services/Agents.js"
import * as AssetFiles from "../../services/assets/AssetFiles.js"
import * as Assets from "../../services/assets/Assets.js"
import * as MemoryFiles from "../../services/assets/MemoryFiles.js"
import { DataDirectory } from "../../services/DataDirectory.js"
import * as Engine from "../../services/Engine.js"
import type * as EngineConfig from "../../services/EngineConfig.js"
import { isolated } from "../../services/Isolated.js"
import * as EventSignals from "../../services/storage/EventSignals.js"
import type { Gateway } from "../../services/gateway/Gateway.js"
import * as MemoryStorage from "../../services/storage/memory/MemoryStorage.js"
import type { Storage, StorageReader } from "../../services/storage/Storage.js"
import * as SqliteStorage from "../sqlite/SqliteStorage.js"
import * as NodeFolders from "./NodeFolders.js"
import * as Platform from "./Platform.js"
import * as Preset from "./Preset.js"

/** The data folder, and the engine's settings. */
export interface Options extends EngineConfig.Options {
  /** The data folder, created when it is missing. It holds `skein.db` and `assets/`. */
  readonly data: string
  /** Where assets are kept, such as `S3Assets.layer` of `skein/s3`. Defaults to files in the data folder. */
  readonly assets?: Preset.Files | undefined
}

const engine = Layer.provide(Engine.layer, Assets.layer)

/** Where assets are: in the data folder unless `assets` says otherwise. */
const filesOf = ({ assets, data }: Pick<Options, "assets" | "data">): Preset.Files =>
  assets ??
  AssetFiles.layer.pipe(
    Layer.provide([NodeFolders.layer, NodeFileSystem.layer, NodePath.layer, Layer.succeed(DataDirectory, data)])
  )

/**
 * An engine on a data folder. It takes up what other engines left behind, every second unless `recoverMillis` says
 * otherwise. Fails with `InvalidInput` for a setting that is out of range, and with `StorageUnusable` when the folder's
 * database cannot be used; the database is then left as it was.
 */
export const layer = ({
  assets,
  data,
  ...config
}: Options): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed, Agents> =>
  isolated(
    engine.pipe(
      Layer.provide([SqliteStorage.layer, filesOf({ assets, data })]),
      Layer.provide(Platform.layer(data, { ...Preset.settings, ...config }))
    )
  )

/** The same, set up by `Config`. */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed | ConfigError.ConfigError, Agents> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * An engine over a storage of the host's own, which engines of other hosts may share. Assets are files in the data folder,
 * unless `assets` says otherwise.
 */
export const layerOver = <E, R>(
  storage: Layer.Layer<Storage | StorageReader | EventSignals.EventSignals, E, R>,
  { assets, data, ...config }: Options
): Layer.Layer<Gateway, E | InvalidInput, Agents | R> => Preset.over(engine, storage, filesOf({ assets, data }), config)

/** An engine that keeps nothing: sessions and assets are gone with the layer. */
export const layerMemory = (config: EngineConfig.Options = {}): Layer.Layer<Gateway, InvalidInput, Agents> =>
  isolated(
    engine.pipe(
      Layer.provide([Layer.provideMerge(MemoryStorage.layer, EventSignals.layer), MemoryFiles.layer]),
      Layer.provide(Platform.layerMemory({ placements: Preset.settings.placements, ...config }))
    )
  )
