/**
 * Reads the hints for sessions that have changed: those that this process was signalled about, and those that other
 * processes have changed, where no signal says which.
 *
 * The latter are found by storage's time. Where commits are made one by one, a later commit has the same time or a
 * later one; a session with exactly the time that was seen last is compared by its cursor. Where commits are made side
 * by side, a later commit may have a slightly earlier time: each search begins that much before the end of the last.
 * Where the clock was set back, where too much has changed at the same time, and where another process has deleted a
 * session, which no row shows, all that can be said is that there is a gap.
 */
import { Effect } from "effect"
import type { Owner, SessionId } from "../../domain/Session.js"
import type { SessionActivity } from "../../domain/SessionActivity.js"
import type { Read } from "../../domain/SkeinError.js"
import type { Leases } from "../runtime/Leases.js"
import type { ReaderService, SessionState } from "../storage/Storage.js"
import * as Listing from "./Listing.js"
import type { OwnedHint } from "./PendingHints.js"

/** Sessions read at a time. */
const page = 500

/** Most sessions that a search finds changed by other processes, and most whose place is remembered. */
const most = 5_000

/** No commit takes this long, in milliseconds: anything older was there when the first subscriber came. */
const longestCommitMillis = 60_000

/** The owner of a deleted session, and when the deletion was signalled. */
export interface Gone {
  readonly owner: Owner | null
  readonly at: number
}

/** Sessions that this process has changed, or deleted. */
type News = ReadonlyMap<SessionId, Gone | null>

export interface HintReader {
  /** Counts everything that is stored now as told. */
  readonly begin: Effect.Effect<void, Read>
  /** The sessions that other processes have changed since then; null when that cannot be known. */
  readonly elsewhere: Effect.Effect<ReadonlyArray<SessionId> | null, Read>
  /** Returns the hints for sessions, in the order of their newest changes. */
  readonly hints: (news: News) => Effect.Effect<ReadonlyArray<OwnedHint>, Read>
}

interface Place {
  readonly cursor: number
  readonly updatedAt: number
  /** Null when it was not read. */
  readonly activity: SessionActivity | null
}

export type Reader = Pick<ReaderService, "changes" | "states">

/** Storage's time, and by how much the time of a later commit may be earlier. */
interface Time {
  readonly now: () => number
  readonly disorderMillis: number
}

export const make = (
  reader: Reader,
  leases: Pick<Leases["Type"], "left">,
  { disorderMillis, now: currentTime }: Time
): HintReader => {
  /** Where sessions were when they were last told, the newest last. */
  const told = new Map<SessionId, Place>()
  let since = 0
  let deletions = 0

  /** A place that may yet change within its millisecond is not remembered. */
  const remember = (sessionId: SessionId, place: Place, readAt: number) => {
    told.delete(sessionId)
    if (place.updatedAt < readAt + disorderMillis) told.set(sessionId, place)
    if (told.size > most) for (const [oldest] of told) return void told.delete(oldest)
  }

  const isTold = (sessionId: SessionId, { activity, cursor, updatedAt }: Place): boolean => {
    const place = told.get(sessionId)
    return (
      place !== undefined &&
      place.cursor === cursor &&
      place.updatedAt === updatedAt &&
      (activity === null || place.activity === activity)
    )
  }

  const begin = Effect.gen(function* () {
    const now = currentTime()
    since = now - longestCommitMillis
    const found = yield* reader.changes({ from: since, to: now + disorderMillis, limit: most })
    deletions = found.deletions
    for (const { cursor, sessionId, updatedAt } of found.sessions) {
      remember(sessionId, { cursor, updatedAt, activity: null }, now)
      since = updatedAt
    }
  })

  const elsewhere = Effect.gen(function* () {
    const now = currentTime()
    const to = now + disorderMillis
    const from = Math.min(since, now) - disorderMillis
    const found = yield* reader.changes({ from, to, limit: most })
    const isWhole = since <= to && found.deletions === deletions && found.sessions.length < most
    deletions = found.deletions
    since = since <= to ? (found.sessions.at(-1)?.updatedAt ?? since) : now - longestCommitMillis
    if (!isWhole) return null
    return found.sessions
      .filter(({ cursor, sessionId, updatedAt }) => !isTold(sessionId, { cursor, updatedAt, activity: null }))
      .map(({ sessionId }) => sessionId)
  })

  const hints = Effect.fnUntraced(function* (news: News) {
    const ids = [...news.keys()]
    const states = new Map<SessionId, SessionState>()
    const readAt = currentTime()
    for (let at = 0; at < ids.length; at += page) {
      for (const state of yield* reader.states(ids.slice(at, at + page))) states.set(state.sessionId, state)
    }
    const activityOf = Listing.activityIn(yield* leases.left(Listing.holdsOf([...states.values()])))
    const all: Array<OwnedHint & { readonly at: number }> = []
    for (const [sessionId, gone] of news) {
      if (gone !== null) all.push({ sessionId, ...gone, hint: { kind: "session.deleted", sessionId } })
      const state = states.get(sessionId)
      if (state === undefined) continue
      const { cursor, kind, owner, updatedAt } = state
      const activity = activityOf(state)
      if (gone === null && isTold(sessionId, { cursor, updatedAt, activity })) continue
      remember(sessionId, { cursor, updatedAt, activity }, readAt)
      all.push({ sessionId, owner, at: updatedAt, hint: { kind, sessionId, cursor, updatedAt, activity } })
    }
    return all.sort((one, other) => one.at - other.at)
  })

  return { begin, elsewhere, hints }
}
