/**
 * The preset for PostgreSQL: an engine whose sessions are in a database that any number of engines share, on any number of
 * hosts.
 */
import { Config, type ConfigError, Effect, Layer, type Redacted, Schema } from "effect"
import { present } from "../../domain/Present.js"
import * as Refusal from "../../domain/Refusal.js"
import type { InvalidInput, StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import type { Agents } from "../../services/Agents.js"
import type { Gateway } from "../../services/gateway/Gateway.js"
import * as Identity from "../node/Identity.js"
import * as SkeinNode from "../node/SkeinNode.js"
import * as PostgresStorage from "./PostgresStorage.js"

/** The database, where assets are kept, and the engine's settings. */
export interface Options extends SkeinNode.Options {
  /** Such as `postgres://user:password@host:5432/database`. The user may create a schema, or owns this one. */
  readonly url: Redacted.Redacted
  /** The schema that has Skein's tables, made when it is missing: 1 to 48 of a-z, 0-9 and _. Defaults to "skein". */
  readonly schema?: string | undefined
  /** Connections that write, 1 to 16. Defaults to 2. */
  readonly lanes?: number | undefined
  /** Connections that read, 1 to 64. Defaults to 4. */
  readonly readers?: number | undefined
}

const description = (description: string) => ({ description })

const Settings = Schema.Struct({
  url: Schema.RedactedFromSelf(
    Schema.String.pipe(Schema.pattern(/^postgres(?:ql)?:\/\//, description("a URL that begins with postgres://")))
  ).annotations(description("a Redacted URL that begins with postgres://")),
  schema: Schema.String.pipe(
    Schema.pattern(/^[a-z_][a-z0-9_]{0,47}$/, description("a name: 1 to 48 of a-z, 0-9 and _, no digit first"))
  ),
  lanes: Schema.Int.pipe(Schema.between(1, 16, description("a whole number from 1 to 16"))),
  readers: Schema.Int.pipe(Schema.between(1, 64, description("a whole number from 1 to 64")))
})

const decode = Refusal.decoder(Schema.typeSchema(Settings))

const checked = (asked: Pick<Options, "lanes" | "readers" | "schema" | "url">) =>
  Effect.suspend(() => decode({ schema: "skein", lanes: 2, readers: 4, ...present(asked) }))

/**
 * An engine on a schema of a PostgreSQL database, 15 or newer, in UTF8. It takes up what other engines left behind, each
 * second unless `recoverMillis` says otherwise.
 *
 * Assets are files in the folder `data` unless `assets` says otherwise: where engines run on several hosts, they need a
 * store that all of them reach, such as `S3Assets.layer` of `skein/s3`.
 *
 * Fails with `InvalidInput` for a setting out of its range, with `StorageFailed` while the server cannot be reached, and
 * with `StorageUnusable` for a database that it may not use, or that a newer version has changed; it is left as it was.
 */
export const layer = ({
  lanes,
  readers,
  schema,
  url,
  ...options
}: Options): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed, Agents> =>
  Layer.unwrapEffect(
    Effect.map(checked({ lanes, readers, schema, url }), (settings) =>
      SkeinNode.layerOver(Layer.provide(PostgresStorage.layer(settings), Identity.layerIds), options)
    )
  )

/** The same, set up by `Config`. */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Gateway, InvalidInput | StorageUnusable | StorageFailed | ConfigError.ConfigError, Agents> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
