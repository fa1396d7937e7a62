/** What storage tells of many sessions at once: who holds them, lists of them, and which have changed. */
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

/** A lease, whose it is, and what is known of that engine's life. */
export interface Tenancy {
  readonly lease: Lease
  /** Null for a run that was released. */
  readonly engine: EngineId | null
  readonly beat: Beat
}

/** A session with a run that has not ended; `tenancy` is null while none holds it and some wait. */
export interface UnsettledSession {
  readonly sessionId: SessionId
  readonly placement: Placement | null
  readonly tenancy: Tenancy | null
}

/** Which sessions to list. What they do, the caller has looked at where it matters. */
export interface ListQuery extends SessionQuery {
  /** The leases whose sessions count as `crashed`, while they are the newest; none without it. */
  readonly crashed?: ReadonlyArray<Lease> | undefined
}

/** A session of a list, what is stored of what it does, and the hold of its run if one holds it. */
export interface StoredListing extends Session {
  readonly activity: StoredActivity
  /** Null also for a run whose row does not tell. */
  readonly tenancy: Tenancy | null
}

/** One page of a list. */
export interface StoredPage extends Omit<SessionPage, "sessions"> {
  readonly sessions: ReadonlyArray<StoredListing>
}

/** Where a session is. */
interface SessionPlace {
  readonly sessionId: SessionId
  readonly cursor: Cursor
  readonly updatedAt: Timestamp
}

/** Where a session is, and what there is to tell of it. */
export interface SessionState extends SessionPlace {
  readonly owner: Owner | null
  /** The type of its newest durable event. */
  readonly kind: ChangeKind
  readonly activity: StoredActivity
  readonly tenancy: Tenancy | null
}

/**
 * Sessions that changed in a time, by `updatedAt`, the oldest first, and how many sessions were hidden and how many imports
 * finished so far, of which no time tells.
 */
export interface SessionChanges {
  readonly sessions: ReadonlyArray<SessionPlace>
  readonly deletions: number
}

/** What can be read of many sessions. */
export interface SessionReads {
  /**
   * One page of the sessions that match, last created first, or by `updatedAt`, then by creation, the newest first. `next`
   * says where the page ends, in numbers and dots; `after` is one of those, of a list in the same order.
   */
  readonly sessions: (query: ListQuery) => Effect.Effect<StoredPage, Read>
  /** The holds of all runs that hold a session that is not hidden. */
  readonly tenancies: Effect.Effect<ReadonlyArray<Tenancy>, Read>
  /** Those of these sessions that are not hidden, in any order. Damaged ones are left out. */
  readonly states: (sessionIds: ReadonlyArray<SessionId>) => Effect.Effect<ReadonlyArray<SessionState>, Read>
  /**
   * At most `limit` sessions that are not hidden and whose `updatedAt` is in a time, both ends included. A commit that is
   * seen later has the same time as those seen before or a later one, unless the clock is set back.
   */
  readonly changes: (range: {
    readonly from: Timestamp
    readonly to: Timestamp
    readonly limit: number
  }) => Effect.Effect<SessionChanges, Read>
}
