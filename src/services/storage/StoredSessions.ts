/** What storage tells of many sessions at once: who holds them, and lists of them. */
import type { Beat, EngineId, Lease } from "../../domain/Lease.js"
import type { Session } from "../../domain/Session.js"
import type { StoredActivity } from "../../domain/SessionActivity.js"
import type { SessionPage, SessionQuery } from "../../domain/SessionPage.js"

export type { StoredActivity }

/** A lease, whose it is, and what is known of that engine's life. */
export interface Tenancy {
  readonly lease: Lease
  /** Null for a run that was released. */
  readonly engine: EngineId | null
  readonly beat: Beat
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
