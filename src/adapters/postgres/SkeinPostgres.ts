/**
 * The preset for PostgreSQL: an engine whose sessions are in a database that any number of engines share, on any number of
 * hosts.
 */
import { Config, type ConfigError, Effect, Layer, type Redacted } from "effect"
import type { InvalidInput, StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import type { Agents } from "../../services/Agents.js"
import * as Assets from "../../services/assets/Assets.js"
import * as Engine from "../../services/Engine.js"
import type * as EngineConfig from "../../services/EngineConfig.js"
import type { Gateway } from "../../services/gateway/Gateway.js"
import * as Identity from "../node/Identity.js"
import * as Preset from "../node/Preset.js"
import * as AssetTable from "./AssetTable.js"
import * as PostgresSettings from "./PostgresSettings.js"
import * as PostgresStorage from "./PostgresStorage.js"

/** The database, where assets are kept, and the engine's settings. */
export interface Options extends EngineConfig.Options {
  /** Where assets are kept, such as `S3Assets.layer` of `skein/s3`. Defaults to a table of the database. */
  readonly assets?: Preset.Files | undefined
  /**
   * Such as `postgres://user:password@host:5432/database`. The user must be allowed to create a schema, or own this
   * one.
   */
  readonly url: Redacted.Redacted
  /** The schema that has Skein's tables, created when it is missing: 1 to 48 of a-z, 0-9 and _. Defaults to "skein". */
  readonly schema?: string | undefined
  /** Connections that write, 1 to 16. Defaults to 2. */
  readonly lanes?: number | undefined
  /** Connections that read, 1 to 64. Defaults to 4. */
  readonly readers?: number | undefined
}

/**
 * An engine on a schema of a PostgreSQL database, 15 or newer, in UTF8. It takes up what other engines left behind,
 * every second unless `recoverMillis` says otherwise.
 *
 * Assets are kept in the database, up to 32 MiB each, or up to the limit `assetBytes` if that is lower: a larger asset
 * is refused as `InvalidInput`. `assets` keeps them somewhere else that all engines reach, such as `S3Assets.layer` of
 * `skein/s3`.
 *
 * Fails with `InvalidInput` for a setting that is out of range, with `StorageFailed` while the server cannot be
 * reached, and with `StorageUnusable` for a database that it has no access to, that is not in UTF8, or that a newer
 * version has changed. Such a database is left as it was.
 */
export const layer = ({
  assets,
  lanes,
  readers,
  schema,
  url,
  ...options
}: Options): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed, Agents> =>
  Layer.unwrapEffect(
    Effect.map(PostgresSettings.checked({ lanes, readers, schema, url }), (settings) =>
      Preset.over(
        Layer.provide(Engine.layer, Assets.layer),
        Layer.provide(PostgresStorage.layer(settings), Identity.layerIds),
        assets ?? AssetTable.layer(settings),
        options
      )
    )
  )

/** The same, set up by `Config`. */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed | ConfigError.ConfigError, Agents> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
