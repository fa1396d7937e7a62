/** What storage reports about runs that have not ended: who holds a session, what waits for it, what an engine holds. */
import type { Option } from "effect"
import type { Actor } from "../../domain/Actor.js"
import type { Lease } from "../../domain/Lease.js"
import type { Placement } from "../../domain/Placement.js"
import type { QueuedRun, RunningRun } from "../../domain/Run.js"
import type { Timestamp } from "../../domain/Timestamp.js"
import type { Tenancy } from "./StoredSessions.js"

/** The run that holds a session, and its engine. */
export interface Holder extends Tenancy {
  readonly run: RunningRun
}

/** Who holds a session, what waits for it, and the placement that says which engines may run that. */
export interface Occupancy {
  readonly placement: Placement | null
  readonly holder: Option.Option<Holder>
  readonly hasQueued: boolean
  /** Whether a call of the run that holds it has an answer and was not started yet. */
  readonly isAnswered: boolean
}

/** The runs of a session that have not ended. */
export interface Activity {
  readonly holder: Option.Option<Holder>
  /** Runs waiting for their turn, in order. */
  readonly queued: ReadonlyArray<QueuedRun>
}

/** A run that an engine holds, and whether others want it to stop. */
export interface HeldRun {
  readonly lease: Lease
  /** Null when it may go on. */
  readonly stopRequest: "cancelled" | "deleted" | null
  /** The actor who first asked to cancel it; null when there is none. */
  readonly cancelledBy: Actor | null
}

/** The earliest times at which runs were left, 0 for any, on the clock that dates storage's commits. */
export interface LeftSince {
  /** For runs that were released. */
  readonly released: Timestamp
  /** For other runs: the newest sign of life of their engine, or their own start if there was none. */
  readonly silent: Timestamp
}
