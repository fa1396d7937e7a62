/**
 * The preset for several machines: engines over one PostgreSQL database that know of each other, and front ends without
 * an engine.
 */
import * as Sharding from "@effect/cluster/Sharding"
import { Config, type ConfigError, Deferred, Effect, Layer } from "effect"
import type { InvalidInput, StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { Agents, layerNone } from "../../services/Agents.js"
import * as Assets from "../../services/assets/Assets.js"
import * as Engine from "../../services/Engine.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import { Ids } from "../../services/Ids.js"
import { isolated } from "../../services/Isolated.js"
import { Leaving } from "../../services/runtime/Leaving.js"
import { LiveRuns } from "../../services/runtime/LiveRuns.js"
import { Shares } from "../../services/runtime/Shares.js"
import { Upkeep } from "../../services/runtime/Upkeep.js"
import * as Identity from "../node/Identity.js"
import * as Preset from "../node/Preset.js"
import * as AssetTable from "../postgres/AssetTable.js"
import * as PostgresSettings from "../postgres/PostgresSettings.js"
import * as PostgresStorage from "../postgres/PostgresStorage.js"
import type * as SkeinPostgres from "../postgres/SkeinPostgres.js"
import * as AllRunners from "./AllRunners.js"
import * as Elsewhere from "./Elsewhere.js"
import * as Membership from "./Membership.js"
import * as Placements from "./Placements.js"
import * as Router from "./Router.js"
import * as SessionEntity from "./SessionEntity.js"
import * as Settings from "./Settings.js"

/**
 * The default limit of runs that a runner drives when it recovers what others left behind: when a runner dies, the
 * remaining ones take over all its runs in addition to their own.
 */
const recoverRuns = 1_000

/** The database, how members of the cluster reach each other, where assets are kept, and the engine's settings. */
export interface ClientOptions extends SkeinPostgres.Options, Settings.Asked {}

/** The same, and where this runner is reached. */
export interface Options extends ClientOptions {
  /**
   * Where the other members of the cluster reach this one. The port is for them alone: they are recognized by a secret
   * in the database. Nothing is encrypted.
   */
  readonly address: Settings.Address
  /** Where it listens. Defaults to its address. */
  readonly listen?: Settings.Address | undefined
}

type Failures = InvalidInput | StorageUnusable | StorageFailed

const storageOf = (settings: Parameters<typeof PostgresStorage.layer>[0]) =>
  Layer.provide(PostgresStorage.layer(settings), Identity.layerIds)

/** Sorts the options: what is for the database, for the cluster, for assets, and for the engine. */
const read = Effect.fnUntraced(function* ({ assets, lanes, readers, schema, url, ...others }: ClientOptions) {
  const { assignMillis, giveUpMillis, healthMillis, reachMillis, shardLockMillis, shards, ...engine } = others
  const database = yield* PostgresSettings.checked({ lanes, readers, schema, url })
  const asked = { assignMillis, giveUpMillis, healthMillis, reachMillis, shardLockMillis, shards }
  const settings = { ...database, ...(yield* Settings.checked(asked)) }
  return { database, settings, files: assets ?? AssetTable.layer(database), engine }
})

/**
 * A runner: an engine on a schema of a PostgreSQL database, 15 or newer, that the cluster's members send messages to.
 *
 * A session's messages go to the runner that holds its shard, and its runs go on there; a runner that dies, stops or is
 * closed leaves both to the others, and so does one whose schema a newer version has migrated. While runners cannot
 * reach each other, each does by itself what it is asked.
 *
 * Fails as `SkeinPostgres.layer` does, and with `InvalidInput` when it cannot listen, or has another number of shards than
 * the other runners.
 */
export const layer = ({ address, listen, ...options }: Options): Layer.Layer<Gateway, Failures, Agents> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { database, engine: own, files, settings } = yield* read(options)
      const place = yield* Settings.places(address, listen)
      const placements = own.placements ?? Preset.settings.placements
      let isHere: ReturnType<typeof SessionEntity.isHere> = () => false
      const elsewhere = Elsewhere.make()
      const outdated = yield* Deferred.make<void>()
      const host = yield* Leaving
      const leaving = Layer.succeed(Leaving, {
        ...host,
        outdated: (refusal) => Effect.zipRight(Deferred.succeed(outdated, undefined), host.outdated(refusal))
      })
      const shares = Layer.succeed(Shares, {
        isOwn: (sessionId, placement) => isHere(sessionId, placement),
        keepsUp: false
      })
      const engine = Preset.over(
        Layer.provide(Engine.layerOpen, [Assets.layer, shares, elsewhere.layer, leaving]),
        storageOf(database),
        files,
        { recoverRuns, ...own }
      )
      const routed = Effect.gen(function* () {
        const local = yield* Gateway
        const sharding = yield* Sharding.Sharding
        const upkeep = yield* Upkeep
        const ids = yield* Ids
        isHere = SessionEntity.isHere(sharding)
        yield* sharding.registerSingleton("skein/upkeep", upkeep.hourly)
        const client = yield* SessionEntity.Session.client
        const placementOf = Placements.make(local)
        elsewhere.join({ client, isHere, placementOf, everywhere: yield* AllRunners.make(settings) })
        return Router.make({ local, hasEngine: true, isHere, client, placementOf, ids, settings })
      })
      const serving = Layer.unwrapEffect(
        Effect.map(Effect.all([Gateway, LiveRuns]), ([local, live]) => SessionEntity.layer(local, live))
      )
      return Layer.scoped(Gateway, routed).pipe(
        Layer.provideMerge(serving),
        Layer.provide(Membership.runner(settings, { ...place, placements }, Deferred.await(outdated))),
        Layer.provide(Identity.layerIds),
        Layer.provide(engine),
        isolated
      )
    })
  )

/** The same, set up by `Config`. */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Gateway, Failures | ConfigError.ConfigError, Agents> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * A front end: it reads and watches in the database itself, and has the runners do what needs an engine. That fails
 * with `RunnersUnreachable` when no runner answers in time. `recover` recovers nothing.
 */
export const client = (options: ClientOptions): Layer.Layer<Gateway, Failures> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { database, engine, files, settings } = yield* read(options)
      const shares = Layer.succeed(Shares, { isOwn: () => false, keepsUp: false })
      const elsewhere = Elsewhere.make()
      const idle = Layer.provide(Engine.layerIdle, [Assets.layer, shares, elsewhere.layer])
      const reader = Preset.over(idle, storageOf(database), files, {
        ...engine,
        recoverMillis: null
      }).pipe(Layer.provide(layerNone("a front end runs no agent")))
      const routed = Effect.gen(function* () {
        const local = yield* Gateway
        const ids = yield* Ids
        const client = yield* SessionEntity.Session.client
        const isHere = () => false
        const placementOf = Placements.make(local)
        elsewhere.join({ client, isHere, placementOf, everywhere: yield* AllRunners.make(settings) })
        return Router.make({ local, hasEngine: false, isHere, client, placementOf, ids, settings })
      })
      return Layer.effect(Gateway, routed).pipe(
        Layer.provide(Membership.client(settings)),
        Layer.provide(Identity.layerIds),
        Layer.provide(reader),
        isolated
      )
    })
  )

/** The same, set up by `Config`. */
export const clientConfig = (
  options: Config.Config.Wrap<ClientOptions>
): Layer.Layer<Gateway, Failures | ConfigError.ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), client))
