/**
 * Lists of sessions with what each does. Storage does not know whether an engine lives, so it says who holds a session,
 * and the engines are looked at here. Where a list is to tell running sessions from crashed ones, they are looked at
 * first, so that each page holds what matches and is whole. Storage takes a session for crashed only by the lease that
 * was looked at: who has claimed it since, runs it.
 */
import { Effect } from "effect"
import type { Lease } from "../../domain/Lease.js"
import * as SessionActivity from "../../domain/SessionActivity.js"
import type { SessionPage, SessionQuery } from "../../domain/SessionPage.js"
import type { Read } from "../../domain/SkeinError.js"
import type { Leases } from "../runtime/Leases.js"
import type { ReaderService, StoredActivity, Tenancy } from "../storage/Storage.js"

/** What is stored of what a session does, and who holds it. */
export interface Held {
  readonly activity: StoredActivity
  readonly tenancy: Tenancy | null
}

/** What sessions do, where these leases were left. */
export const activityIn = (left: ReadonlyArray<Lease>) => {
  const fences = new Map(left.map(({ fence, runId }) => [runId, fence]))
  return ({ activity, tenancy }: Held): SessionActivity.SessionActivity =>
    SessionActivity.of(activity, tenancy !== null && fences.get(tenancy.lease.runId) === tenancy.lease.fence)
}

/** The holds that it takes a look at the engines to tell of. */
export const holdsOf = (sessions: ReadonlyArray<Held>): ReadonlyArray<Tenancy> =>
  sessions.flatMap(({ activity, tenancy }) => (activity === "running" && tenancy !== null ? [tenancy] : []))

/** One page of a list. */
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
