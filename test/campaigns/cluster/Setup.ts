/** What a runner of the tests (`runner.ts`) is told at its start; its only argument. */
import { Schema } from "effect"

/** Settings of a cluster that notices within a second or two what takes 15 seconds by default. */
export const quick = {
  leaseMillis: 2_000,
  drainMillis: 5_000,
  shards: 32,
  shardLockMillis: 2_000,
  assignMillis: 300,
  healthMillis: 1_000,
  reachMillis: 500,
  giveUpMillis: 10_000
}

export const Setup = Schema.parseJson(
  Schema.Struct({
    url: Schema.String,
    schema: Schema.String,
    /** Holds the files of calls, and the gates. */
    folder: Schema.String,
    /** The port on which it listens, and the port at which others reach it. */
    port: Schema.Int,
    address: Schema.Int,
    placements: Schema.optional(Schema.Array(Schema.String)),
    /** Whether it also logs what is only useful for finding a fault. */
    debugs: Schema.optional(Schema.Boolean),
    settings: Schema.Struct({
      leaseMillis: Schema.Int,
      drainMillis: Schema.Int,
      shards: Schema.Int,
      shardLockMillis: Schema.Int,
      assignMillis: Schema.Int,
      healthMillis: Schema.Int,
      reachMillis: Schema.Int,
      giveUpMillis: Schema.Int
    })
  })
)
export type Setup = typeof Setup.Type
