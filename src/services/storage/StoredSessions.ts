/** What storage reports about many sessions at once: who holds them, lists of them, and which have changed. */
import type { Effect } from "effect"
import type { Beat, EngineId, Lease } from "../../domain/Lease.js"
import type { Placement } from "../../domain/Placement.js"
import type { Cursor, Owner, Session, SessionId } from "../../domain/Session.js"
import type { StoredActivity } from "../../domain/SessionActivity.js"
import type { ChangeKind } from "../../domain/SessionHint.js"
import type { SessionPage, SessionQuery } from "../../domain/SessionPage.js"
import type { Read } from "../../domain/SkeinError.js"
import type { Timestamp } from "../../domain/Timestamp.js"

export type { StoredActivity }

/** A lease, the engine that has it, and that engine's newest sign of life. */
export interface Tenancy {
  readonly lease: Lease
  /** Null for a run that was released. */
  readonly engine: EngineId | null
  readonly beat: Beat
}

/** A session with a run that has not ended; `tenancy` is null while no run holds it and some wait. */
export interface UnsettledSession {
  readonly sessionId: SessionId
  readonly placement: Placement | null
  readonly tenancy: Tenancy | null
}

/** Which sessions to list. Where it matters, the caller has already checked which runs have crashed. */
export interface ListQuery extends SessionQuery {
  /** Leases whose sessions count as `crashed` while the lease is the session's newest. Defaults to none. */
  readonly crashed?: ReadonlyArray<Lease> | undefined
}

/** A listed session, its stored activity, and the tenancy of the run that holds it, if any. */
export interface StoredListing extends Session {
  readonly activity: StoredActivity
  /** Null also for a run whose row is damaged. */
  readonly tenancy: Tenancy | null
}

/** One page of a list. */
export interface StoredPage extends Omit<SessionPage, "sessions"> {
  readonly sessions: ReadonlyArray<StoredListing>
}

/** A session's newest cursor, and the time of its last change. */
interface SessionPlace {
  readonly sessionId: SessionId
  readonly cursor: Cursor
  readonly updatedAt: Timestamp
}

/** The same, with the session's owner, its newest change and what it does. */
export interface SessionState extends SessionPlace {
  readonly owner: Owner | null
  /** The type of its newest durable event. */
  readonly kind: ChangeKind
  readonly activity: StoredActivity
  readonly tenancy: Tenancy | null
}

/**
 * Sessions whose `updatedAt` is within a time range, the oldest change first. `deletions` is the number of sessions
 * hidden and of imports finished so far, which no `updatedAt` shows.
 */
export interface SessionChanges {
  readonly sessions: ReadonlyArray<SessionPlace>
  readonly deletions: number
}

/** What can be read about many sessions. */
export interface SessionReads {
  /**
   * One page of the sessions that match, the newest first: by creation, or by `updatedAt` and then by creation. `next`
   * says where the page ends, in numbers and dots; `after` is the `next` of a list in the same order.
   */
  readonly sessions: (query: ListQuery) => Effect.Effect<StoredPage, Read>
  /** The tenancies of all runs that hold a session that is not hidden. */
  readonly tenancies: Effect.Effect<ReadonlyArray<Tenancy>, Read>
  /** The states of the given sessions, in any order. Hidden and damaged sessions are left out. */
  readonly states: (sessionIds: ReadonlyArray<SessionId>) => Effect.Effect<ReadonlyArray<SessionState>, Read>
  /**
   * At most `limit` sessions that are not hidden and whose `updatedAt` is within a time range, both ends included. A
   * commit that becomes visible later is not dated earlier than those seen before, except by up to
   * `StorageClock.disorderMillis`, or when the clock is set back.
   */
  readonly changes: (range: {
    readonly from: Timestamp
    readonly to: Timestamp
    readonly limit: number
  }) => Effect.Effect<SessionChanges, Read>
}
