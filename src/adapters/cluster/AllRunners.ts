/**
 * Finds a way to each runner. Messages go to shards, so a runner is reached through a shard that it holds, and a shard
 * through an entity id that falls into it.
 */
import * as EntityId from "@effect/cluster/EntityId"
import * as Sharding from "@effect/cluster/Sharding"
import * as SqlClient from "@effect/sql/SqlClient"
import { Context, Effect, Schema } from "effect"
import * as SessionEntity from "./SessionEntity.js"
import type { Settings } from "./Settings.js"

const decode = Schema.decodeUnknown(Schema.Array(Schema.Struct({ shard: Schema.NumberFromString })))

/** The number of one shard for each runner that holds any. */
export class HeldShards extends Context.Tag("skein/HeldShards")<
  HeldShards,
  Effect.Effect<ReadonlyArray<number>, unknown>
>() {}

export const heldShards = ({ shardLockMillis }: Settings) =>
  Effect.map(SqlClient.SqlClient, (sql) =>
    sql`SELECT DISTINCT ON (address) substr(shard_id, ${SessionEntity.anywhere.length + 2}::int) AS shard
        FROM skein_locks
        WHERE starts_with(shard_id, ${`${SessionEntity.anywhere}:`})
          AND acquired_at > now() - ${shardLockMillis}::int * interval '1 millisecond'
        ORDER BY address, acquired_at DESC`.pipe(
      Effect.flatMap(decode),
      Effect.map((rows) => rows.map(({ shard }) => shard))
    )
  )

/** An entity id for each shard. */
const idsOf = (shards: number, { getShardId }: Sharding.Sharding["Type"]): ReadonlyMap<number, string> => {
  const ids = new Map<number, string>()
  for (let count = 0; ids.size < shards; count++) {
    const id = `/${count}`
    ids.set(getShardId(EntityId.make(id), SessionEntity.anywhere).id, id)
  }
  return ids
}

/** Entity ids, one at each runner. */
export const make = Effect.fnUntraced(function* ({ shards }: Settings) {
  const sharding = yield* Sharding.Sharding
  const held = yield* HeldShards
  const ids = yield* Effect.cached(Effect.sync(() => idsOf(shards, sharding)))
  return Effect.zipWith(held, ids, (numbers, ids) =>
    numbers.flatMap((number) => {
      const id = ids.get(number)
      return id === undefined ? [] : [id]
    })
  )
})
