/** What all presets of engines on Node have in common. */
import { Array, Layer, Schema } from "effect"
import { hostname } from "node:os"
import { Placement } from "../../domain/Placement.js"
import type { InvalidInput } from "../../domain/SkeinError.js"
import type { Agents } from "../../services/Agents.js"
import type { AssetFiles } from "../../services/assets/AssetFiles.js"
import type * as EngineConfig from "../../services/EngineConfig.js"
import { isolated } from "../../services/Isolated.js"
import type * as EventSignals from "../../services/storage/EventSignals.js"
import type { Storage, StorageReader } from "../../services/storage/Storage.js"
import * as Platform from "./Platform.js"

export const settings = {
  /** How often a long-lived host looks for what other engines left behind, unless it says otherwise. */
  recoverMillis: 1_000,
  /** What an engine of this host serves unless it says otherwise: sessions that are placed on the host, by its name. */
  placements: Array.filter([hostname()], Schema.is(Placement))
}

export type Files = Layer.Layer<AssetFiles, InvalidInput>

type Given =
  | Storage
  | StorageReader
  | EventSignals.EventSignals
  | AssetFiles
  | Layer.Layer.Success<ReturnType<typeof Platform.layerOver>>

/** An engine over a storage that engines of other hosts may share. */
export const over = <A, E, R>(
  engine: Layer.Layer<A, never, Agents | Given>,
  storage: Layer.Layer<Storage | StorageReader | EventSignals.EventSignals, E, R>,
  assets: Files,
  config: EngineConfig.Options
): Layer.Layer<A, E | InvalidInput, Agents | R> =>
  isolated(
    engine.pipe(Layer.provide([storage, assets]), Layer.provide(Platform.layerOver({ ...settings, ...config }, "many")))
  )
