/**
 * Lists of sessions with the activity of each. Storage does not know whether an engine is alive, so it says who holds a
 * session, and the engines are checked here. Where a list must tell running sessions from crashed ones, the engines are
 * checked first, so that each page is full and holds only matches. Storage counts a session as crashed only by the
 * lease that was checked: a session that was claimed since is running.
 */
import { Effect } from "effect"
import type { Lease } from "../../domain/Lease.js"
import * as SessionActivity from "../../domain/SessionActivity.js"
import type { SessionPage, SessionQuery } from "../../domain/SessionPage.js"
import type { Read } from "../../domain/SkeinError.js"
import type { Leases } from "../runtime/Leases.js"
import type { ReaderService, StoredActivity, Tenancy } from "../storage/Storage.js"

/** A session's activity as it is stored, and who holds the session. */
export interface Held {
  readonly activity: StoredActivity
  readonly tenancy: Tenancy | null
}

/** Returns the activity of sessions, where these leases were left. */
export const activityIn = (left: ReadonlyArray<Lease>) => {
  const fences = new Map(left.map(({ fence, runId }) => [runId, fence]))
  return ({ activity, tenancy }: Held): SessionActivity.SessionActivity =>
    SessionActivity.of(activity, tenancy !== null && fences.get(tenancy.lease.runId) === tenancy.lease.fence)
}

/** The holds whose engines must be checked to know the activity. */
export const holdsOf = (sessions: ReadonlyArray<Held>): ReadonlyArray<Tenancy> =>
  sessions.flatMap(({ activity, tenancy }) => (activity === "running" && tenancy !== null ? [tenancy] : []))

/** Returns one page of a list. */
export const page = (
  reader: Pick<ReaderService, "sessions" | "tenancies">,
  leases: Pick<Leases["Type"], "left">,
  query: SessionQuery
): Effect.Effect<SessionPage, Read> =>
  Effect.gen(function* () {
    const looksFirst = SessionActivity.dependsOnEngines(query.activity ?? [])
    const crashed = looksFirst ? yield* Effect.flatMap(reader.tenancies, leases.left) : []
    const { sessions, ...page } = yield* reader.sessions({ ...query, crashed })
    const activityOf = activityIn(looksFirst ? crashed : yield* leases.left(holdsOf(sessions)))
    return {
      ...page,
      sessions: sessions.map(({ tenancy, ...session }) => ({
        ...session,
        activity: activityOf({ activity: session.activity, tenancy })
      }))
    }
  })
