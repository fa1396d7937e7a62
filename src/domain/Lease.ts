/**
 * Which engine runs a session. A lease is the session's fencing number together with the engine that holds it: an engine
 * that takes the session over raises the number, and every write of a run carries the number under which it was started.
 * So at most one engine writes, whatever any engine believes about another's life. `Tenure` has the moves of a lease,
 * `Liveness` decides when one is over.
 */
import { Schema } from "effect"
import type { Placement } from "./Placement.js"
import { RunId } from "./Run.js"
import { SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"

/** Names one engine among the engines of all hosts and boots. */
export const EngineId = Schema.Struct({
  /** Changes with each boot of the host. */
  bootId: Schema.String,
  /** Pids only have a meaning within one namespace. */
  pidNamespace: Schema.String,
  pid: Schema.Int,
  /** When the process started, in the unit of its host; tells a reused pid apart. */
  startTime: Schema.String,
  /** One engine within the process. */
  instance: Schema.String,
  /**
   * The host, where engines of several hosts may share a storage; null where all engines are on one host. An engine
   * that names a host stops its runs by itself before others may take them over (`Liveness.mayGoOn`). Ids that earlier
   * versions stored have no host.
   */
  host: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null })
})
export type EngineId = typeof EngineId.Type

/** An engine's hold on a session for a run. `fence` rises with each new hold. */
export const Lease = Schema.Struct({ sessionId: SessionId, runId: RunId, fence: Schema.Int })
export type Lease = typeof Lease.Type

/** Milliseconds on a host's monotonic clock. `clock` names it; an empty name means a clock that nobody else shares. */
export const Sign = Schema.Struct({ clock: Schema.String, at: Schema.Int })
export type Sign = typeof Sign.Type

/** What storage knows about an engine's life: how many signs it gave, and what the newest sign says. */
export const Beat = Schema.Struct({
  count: Schema.Int,
  sign: Schema.NullOr(Sign),
  /** How long the engine holds its leases after a sign, as the engine itself states. */
  leaseMillis: Schema.NullOr(Schema.Int),
  /** When storage received the newest sign. */
  seenAt: Schema.NullOr(Timestamp)
})
export type Beat = typeof Beat.Type

/** The beat of an engine that gave no sign, and of a run that no engine has. */
export const silent: Beat = { count: 0, sign: null, leaseMillis: null, seenAt: null }

/** The engine that claims a session, with its sign of life at that time. */
export interface Presence {
  readonly engine: EngineId
  readonly sign: Sign
  readonly leaseMillis: number
  /** The placements that the engine serves, besides sessions without one. */
  readonly placements: ReadonlyArray<Placement>
}

/**
 * Why a session is taken over: its engine is dead, has given no sign of life for the time of a lease, or has released
 * the run.
 */
export const takeoverReasons = ["crashed", "lease-lost", "released"] as const
/** One of `takeoverReasons`. */
export type TakeoverReason = (typeof takeoverReasons)[number]
