/** What the driver and a runner of the campaign say to each other, a line of JSON each. */
import { Schema } from "effect"

/** What a runner is told at its start; its only argument. */
export const Setup = Schema.parseJson(
  Schema.Struct({
    /** By way of a gate. */
    url: Schema.String,
    schema: Schema.String,
    /** Has a file for each call that was run. */
    folder: Schema.String,
    /** Where it listens, and the gate by which others reach it. */
    port: Schema.Int,
    gate: Schema.Int,
    /** Null for a cluster with all settings as they are by default. */
    leaseMillis: Schema.NullOr(Schema.Int),
    /** How long a call takes. */
    workMillis: Schema.Int
  })
)

/** A message that has the agent call its tool so often, one call after the other. `count` tells it from others of a session. */
export const textOf = (session: string, count: number, calls: number): string => `${session}-${count}x${calls}`

/** How many calls a message asks for. */
export const callsOf = (text: string): number => Number(text.slice(text.lastIndexOf("x") + 1))

/** A message for a session, which the runner makes if it is missing. `text` is its key as well. */
export const Ask = Schema.parseJson(Schema.Struct({ sessionId: Schema.String, text: Schema.String }))

export const Said = Schema.parseJson(
  Schema.Union(
    Schema.TaggedStruct("Up", {}),
    Schema.TaggedStruct("Took", { text: Schema.String }),
    Schema.TaggedStruct("Refused", { text: Schema.String, error: Schema.String }),
    /** Runs so far that another engine had taken over when they wanted to write; and those that it took over itself. */
    Schema.TaggedStruct("Counts", { fenced: Schema.Number, recovered: Schema.Number }),
    /** The longest that its event loop stood still in the last second, in milliseconds, and the runs that it drives. */
    Schema.TaggedStruct("Pace", { stoodStill: Schema.Number, runs: Schema.Number }),
    /** It let go of a lease, and storage took that. `lease` names a run and the number of its fence. */
    Schema.TaggedStruct("Released", { lease: Schema.String }),
    /** It took over what another engine had held by this lease, and for which reason. */
    Schema.TaggedStruct("TookOver", { lease: Schema.String, reason: Schema.String }),
    /** A call ran again. */
    Schema.TaggedStruct("Twice", { callId: Schema.String })
  )
)
export type Said = typeof Said.Type
