/** What a host of the tests (`host.ts`) is told at its start, and what it says, one line of JSON each. */
import { Schema } from "effect"
import { StopReason } from "../../../src/domain/Run.js"
import { Settings } from "../../../src/services/EngineConfig.js"

/** How the host is set up; its only argument. */
export const Setup = Schema.parseJson(
  Schema.Struct({
    /** Holds the data folder `data`, and a file for each job. */
    folder: Schema.String,
    jobs: Schema.Array(Schema.String),
    /**
     * What it does for each job: `settle` settles its message; `send` sends its message and lives on; `watch` hears the
     * events of its session until its run ends.
     */
    role: Schema.Literal("settle", "send", "watch"),
    /** How many jobs run at the same time. */
    atOnce: Schema.Int,
    /** The shared PostgreSQL database; null for a database of its own in the data folder. */
    database: Schema.NullOr(Schema.Struct({ url: Schema.String, schema: Schema.String })),
    /** How long a call takes. */
    workMillis: Schema.Int,
    ...Settings.pick("drainMillis", "leaseMillis", "recoverMillis").fields
  })
)
export type Setup = typeof Setup.Type

const Said = Schema.Union(
  /** A call has written its line. */
  Schema.TaggedStruct("Entered", { job: Schema.String }),
  Schema.TaggedStruct("Ended", { job: Schema.String, stopReason: StopReason })
)
export type Said = typeof Said.Type

export const Line = Schema.parseJson(Said)
