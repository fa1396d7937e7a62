/**
 * Membership of a cluster: who the runners are, which shards each of them holds, and how they are reached. The runners
 * and the locks on their shards are kept in two tables in the sessions' own database and schema; the number of shards
 * and the secret by which members recognize each other are in two more. Messages are not stored anywhere.
 *
 * - A shard's lock is a row that is refreshed, not a lock held by a connection: the server would keep the locks of a
 *   stopped process for as long as it stays stopped.
 * - None of this decides who may write to a session. It only says who is asked first.
 */
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import type * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SocketRunner from "@effect/cluster/SocketRunner"
import * as SqlRunnerStorage from "@effect/cluster/SqlRunnerStorage"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Socket } from "@effect/platform/Socket"
import type { SocketServerError } from "@effect/platform/SocketServer"
import * as RpcClient from "@effect/rpc/RpcClient"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as SqlError from "@effect/sql/SqlError"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Cause, Duration, Effect, Exit, Layer, Option, Redacted, Schedule, Scope } from "effect"
import type { ParseError } from "effect/ParseResult"
import type { Placement } from "../../domain/Placement.js"
import { InvalidInput, StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import * as DatabaseUrl from "../postgres/DatabaseUrl.js"
import * as PostgresFailure from "../postgres/PostgresFailure.js"
import * as AllRunners from "./AllRunners.js"
import * as MemberPool from "./MemberPool.js"
import * as RunnerPort from "./RunnerPort.js"
import * as Secret from "./Secret.js"
import * as Shards from "./Shards.js"
import * as SessionEntity from "./SessionEntity.js"
import type { Settings } from "./Settings.js"

/** Where a runner is reached, and where it listens. */
export interface Place {
  readonly address: { readonly host: string; readonly port: number }
  readonly listen: { readonly host: string; readonly port: number }
  readonly placements: ReadonlyArray<Placement>
}

/** The size limit of a session's message: many times the size of any message that fits into a transcript. */
const mostBytes = 256 * 1024 * 1024

const connectMillis = 2_000

/** The cluster's tables, and what is read from them. */
const tables = (settings: Settings) =>
  Layer.mergeAll(
    SqlRunnerStorage.layerWith({ prefix: "skein" }),
    Layer.effect(AllRunners.HeldShards, AllRunners.heldShards(settings)),
    Layer.effect(Secret.ClusterSecret, Secret.read),
    Layer.effectDiscard(Shards.table)
  ).pipe(
    // Two members that create the tables at the same time get in each other's way.
    Layer.retry(Schedule.intersect(Schedule.spaced("250 millis"), Schedule.recurs(4)))
  )

/** The cluster's tables die of an error of the database in some places, and fail with it in others. */
const causeOf = (
  cause: Cause.Cause<InvalidInput | ParseError | SqlError.SqlError>,
  where: string
): Cause.Cause<InvalidInput | StorageFailed | StorageUnusable> => {
  const died = Option.filter(Cause.dieOption(cause), (defect) => defect instanceof SqlError.SqlError)
  return Option.match(died, {
    onSome: (error) => Cause.fail(PostgresFailure.whileOpening(where, error.cause)),
    onNone: () =>
      Cause.map(cause, (error) =>
        error._tag === "InvalidInput" ? error : PostgresFailure.whileOpening(where, error.cause)
      )
  })
}

const storage = (settings: Settings, isRunner: boolean) =>
  Layer.effectDiscard(Shards.agree(settings, isRunner)).pipe(
    Layer.provideMerge(tables(settings)),
    Layer.provide(PgClient.layerFromPool({ acquire: MemberPool.make(settings) })),
    Layer.catchAllCause((cause) => Layer.failCause(causeOf(cause, DatabaseUrl.where(Redacted.value(settings.url)))))
  )

/** Connections to other runners, each made when it is first needed. */
const peers = Layer.effect(
  Runners.RpcClientProtocol,
  Effect.map(
    RpcSerialization.RpcSerialization,
    (serialization) => (address) =>
      NodeSocket.makeNet({ openTimeout: connectMillis, host: address.host, port: address.port }).pipe(
        Effect.flatMap((socket) => Effect.provideService(RpcClient.makeProtocolSocket(), Socket, socket)),
        Effect.provideService(RpcSerialization.RpcSerialization, serialization),
        Effect.orDie
      )
  )
)

const configuration = (settings: Settings, place: Place | null) => {
  const groups = SessionEntity.groupsOf(place?.placements ?? [])
  return ShardingConfig.layer({
    runnerAddress: Option.map(Option.fromNullable(place), ({ address }) =>
      RunnerAddress.make(address.host, address.port)
    ),
    shardsPerGroup: settings.shards,
    availableShardGroups: groups,
    assignedShardGroups: groups,
    shardLockDisableAdvisory: true,
    shardLockExpiration: Duration.millis(settings.shardLockMillis),
    shardLockRefreshInterval: Duration.millis(settings.shardLockMillis / 3),
    refreshAssignmentsInterval: Duration.millis(settings.assignMillis),
    runnerHealthCheckInterval: Duration.millis(settings.healthMillis),
    entityMailboxCapacity: 1_024,
    entityMaxIdleTime: Duration.minutes(5),
    entityTerminationTimeout: Duration.seconds(2),
    simulateRemoteSerialization: false
  })
}

const unusable =
  ({ address, listen }: Place) =>
  (error: SocketServerError) =>
    new InvalidInput({
      field: address === listen ? "address" : "listen",
      limit: "an address that this process can listen on",
      actual: `${listen.host}:${listen.port}, ${codeOf(error.cause)}`
    })

/** How members write to each other, and how runners recognize them. */
const serialization = (by: typeof Secret.says) =>
  Layer.effect(
    RpcSerialization.RpcSerialization,
    Effect.map(Secret.ClusterSecret, (secret) => by(RpcSerialization.makeNdjson({ maxBufferSize: mostBytes }), secret))
  )

type Joined = Sharding.Sharding | AllRunners.HeldShards

/** What every member of a cluster needs, runner or not. */
const member = (settings: Settings, place: Place | null) =>
  Layer.merge(Layer.provide(peers, serialization(Secret.says)), MessageStorage.layerNoop).pipe(
    Layer.provideMerge(storage(settings, place !== null)),
    Layer.provideMerge(configuration(settings, place))
  )

/** Builds a layer that is closed with the scope, or before that once `early` completes. */
const closedEarly = <A, E>(layer: Layer.Layer<A, E>, early: Effect.Effect<void>): Layer.Layer<A, E> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const scope = yield* Effect.acquireRelease(Scope.make(), Scope.close)
      const context = yield* Layer.buildWithScope(layer, scope)
      yield* Effect.forkScoped(Effect.zipRight(early, Effect.uninterruptible(Scope.close(scope, Exit.void))))
      return context
    })
  )

/** Joins the cluster as a runner, and leaves it with the scope, or before that once it is outdated. */
export const runner = (
  settings: Settings,
  place: Place,
  outdated: Effect.Effect<void>
): Layer.Layer<Joined, InvalidInput | StorageFailed | StorageUnusable> =>
  SocketRunner.layer.pipe(
    Layer.provide([
      serialization(Secret.demands),
      RunnerPort.layer(place.listen).pipe(Layer.mapError(unusable(place))),
      Layer.provide(RunnerHealth.layerPing, Runners.layerRpc)
    ]),
    Layer.provideMerge(member(settings, place)),
    (layer) => closedEarly(layer, outdated)
  )

/** Sends to the runners of a cluster without being one. */
export const client = (settings: Settings): Layer.Layer<Joined, InvalidInput | StorageFailed | StorageUnusable> =>
  Layer.provideMerge(SocketRunner.layerClientOnly, member(settings, null))
