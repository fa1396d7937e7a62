/**
 * Which engine runs a session. A lease is the session's fencing number together with the engine that holds it: an engine
 * that takes the session over raises the number, and every write of a run carries the number under which it was started.
 * So at most one engine writes, whatever any engine believes of another's life. `Tenure` has the moves of a lease,
 * `Liveness` decides when one is over.
 */
import { Schema } from "effect"
import { RunId } from "./Run.js"
import { SessionId } from "./Session.js"

export const EngineId = Schema.Struct({
  /** Changes with each boot of the host. */
  bootId: Schema.String,
  /** Pids mean something within one namespace only. */
  pidNamespace: Schema.String,
  pid: Schema.Int,
  /** When the process started, in the unit of its host; tells a reused pid apart. */
  startTime: Schema.String,
  /** One engine within the process. */
  instance: Schema.String
})
export type EngineId = typeof EngineId.Type

export const Lease = Schema.Struct({ sessionId: SessionId, runId: RunId, fence: Schema.Int })
export type Lease = typeof Lease.Type

/** Milliseconds on a host's monotonic clock. `clock` names it; an empty name stands for one that nobody else shares. */
export const Sign = Schema.Struct({ clock: Schema.String, at: Schema.Int })
export type Sign = typeof Sign.Type

/** The newest sign of life that storage has of an engine, and how many there were; 0 and none when it has none. */
export const Beat = Schema.Struct({ count: Schema.Int, sign: Schema.NullOr(Sign) })
export type Beat = typeof Beat.Type

export const silent: Beat = { count: 0, sign: null }

/** Who claims a session, and its sign of life as it does. */
export interface Presence {
  readonly engine: EngineId
  readonly sign: Sign
}

/** Why a session is taken over: its engine is dead, or has given no sign of life for the time of a lease. */
export type TakeoverReason = "crashed" | "lease-lost"
