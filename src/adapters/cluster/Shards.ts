/**
 * The number of shards, which is the same for all members of a cluster: a member with another number would send
 * messages past the runner that has a session. It is kept in the database, and changes only while no shard is held.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect, Schema } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import type { Settings } from "./Settings.js"

const decode = Schema.decodeUnknown(Schema.Array(Schema.Struct({ shards: Schema.Number })))

/** Creates the table that keeps it. */
export const table = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql`CREATE TABLE IF NOT EXISTS skein_shards (id INTEGER PRIMARY KEY, shards INTEGER NOT NULL, said_at TIMESTAMPTZ NOT NULL)`
)

/** Records the member's number if it is a runner, and fails with `InvalidInput` if the runners have another one. */
export const agree = ({ shardLockMillis, shards }: Settings, isRunner: boolean) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const lately = sql`now() - ${shardLockMillis}::int * interval '1 millisecond'`
    const isHeld = sql`EXISTS (SELECT 1 FROM skein_locks WHERE acquired_at > ${lately})`
    if (isRunner) {
      // A runner that has only just recorded its number holds no shard yet.
      yield* sql`INSERT INTO skein_shards AS known VALUES (1, ${shards}, now()) ON CONFLICT (id)
        DO UPDATE SET shards = excluded.shards, said_at = now()
        WHERE known.shards = excluded.shards OR NOT (known.said_at > ${lately} OR ${isHeld})`
    }
    const [other] = yield* Effect.flatMap(
      sql`SELECT shards FROM skein_shards WHERE shards <> ${shards} AND (said_at > ${lately} OR ${isHeld})`,
      decode
    )
    if (other !== undefined) {
      return yield* new InvalidInput({
        field: "shards",
        limit: `${other.shards}, like the cluster's runners`,
        actual: String(shards)
      })
    }
  })
