/** What the driver and a runner of the campaign say to each other, as one line of JSON per message. */
import { Schema } from "effect"

/** What a runner is told at its start; its only argument. */
export const Setup = Schema.parseJson(
  Schema.Struct({
    /** Leads through a gate. */
    url: Schema.String,
    schema: Schema.String,
    /** Gets one file for each call that ran. */
    folder: Schema.String,
    /** The port on which it listens, and the gate through which others reach it. */
    port: Schema.Int,
    gate: Schema.Int,
    /** Null for a cluster with its default settings. */
    leaseMillis: Schema.NullOr(Schema.Int),
    /** How long a call takes. */
    workMillis: Schema.Int
  })
)

/**
 * A message that makes the agent call its tool `calls` times, one call after the other. `count` distinguishes it from
 * other messages of the session.
 */
export const textOf = (session: string, count: number, calls: number): string => `${session}-${count}x${calls}`

/** How many calls a message asks for. */
export const callsOf = (text: string): number => Number(text.slice(text.lastIndexOf("x") + 1))

/** A message for a session, which the runner creates if it is missing. `text` is also its idempotency key. */
export const Ask = Schema.parseJson(Schema.Struct({ sessionId: Schema.String, text: Schema.String }))

export const Said = Schema.parseJson(
  Schema.Union(
    Schema.TaggedStruct("Up", {}),
    Schema.TaggedStruct("Took", { text: Schema.String }),
    Schema.TaggedStruct("Refused", { text: Schema.String, error: Schema.String }),
    /**
     * How many runs so far another engine had taken over before the runner could write; and how many it took over
     * itself.
     */
    Schema.TaggedStruct("Counts", { fenced: Schema.Number, recovered: Schema.Number }),
    /**
     * The longest time that its event loop stood still in the last second, in milliseconds, and the runs that it
     * drives.
     */
    Schema.TaggedStruct("Pace", { stoodStill: Schema.Number, runs: Schema.Number }),
    /** It released a lease, and storage accepted that. `lease` names a run and the number of its fence. */
    Schema.TaggedStruct("Released", { lease: Schema.String }),
    /** It took over what another engine had held by this lease, and why. */
    Schema.TaggedStruct("TookOver", { lease: Schema.String, reason: Schema.String }),
    /** A call ran again. */
    Schema.TaggedStruct("Twice", { callId: Schema.String })
  )
)
export type Said = typeof Said.Type
