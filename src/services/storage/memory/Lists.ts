/** The reference for lists of sessions, and for what a session does. */
import { Array, Either, HashMap, Option, Order } from "effect"
import type { Session, SessionId } from "../../../domain/Session.js"
import * as SessionActivity from "../../../domain/SessionActivity.js"
import type { ListQuery, SessionChanges, SessionState, StoredActivity, StoredPage, Tenancy } from "../Storage.js"
import { holderOf } from "./Runs.js"
import { type SessionRecord, type State, visible } from "./State.js"

export const page = (state: State, query: ListQuery): StoredPage => {
  const matching = Array.sort(
    Array.fromIterable(HashMap.values(state.sessions)).filter(
      (kept) =>
        kept.tenure.state !== "gone" && matches(kept.session, query) && isSince(kept, query) && does(state, kept, query)
    ),
    query.order === "activity" ? lastChangedFirst : lastCreatedFirst
  )
  const [page, rest] = Array.splitAt(matching.filter(isBeyond(query)), Math.min(Math.max(query.limit ?? 50, 1), 500))
  return {
    sessions: page.map((kept) => ({
      ...kept.session,
      activity: activityOf(state, kept),
      tenancy: tenancyOf(state, kept)
    })),
    damaged: [],
    next: rest.length === 0 ? null : Option.getOrNull(Option.map(Array.last(page), placeOf)),
    ...(query.total === true ? { total: matching.length } : {})
  }
}

export const states = (state: State, sessionIds: ReadonlyArray<SessionId>): ReadonlyArray<SessionState> =>
  sessionIds.flatMap((sessionId) =>
    Either.match(visible(state, sessionId), {
      onLeft: () => [],
      onRight: (kept) => {
        const type = kept.events.at(-1)?.type
        const { cursor, owner, updatedAt } = kept.session
        const kind = type === undefined || type === "session.deleted" ? "other" : type
        return [
          {
            sessionId,
            owner,
            cursor,
            updatedAt,
            kind,
            activity: activityOf(state, kept),
            tenancy: tenancyOf(state, kept)
          }
        ]
      }
    })
  )

export const changes = (
  state: State,
  { from, limit, to }: { readonly from: number; readonly to: number; readonly limit: number }
): SessionChanges => ({
  deletions: state.deletions,
  sessions: Array.sort(
    Array.fromIterable(HashMap.values(state.sessions)).filter(
      ({ session, tenure }) => tenure.state !== "gone" && session.updatedAt >= from && session.updatedAt <= to
    ),
    Order.reverse(lastChangedFirst)
  )
    .slice(0, limit)
    .map(({ session: { cursor, id, updatedAt } }) => ({ sessionId: id, cursor, updatedAt }))
})

/** Whether a run of the session has not ended. */
export const isActive = (kept: SessionRecord): boolean => Option.isSome(kept.holder) || kept.queue.length > 0

export const tenancyOf = (state: State, kept: SessionRecord): Tenancy | null =>
  Option.getOrNull(Option.map(holderOf(state, kept), ({ beat, engine, lease }) => ({ lease, engine, beat })))

/** The stored activity of a session. */
const activityOf = (state: State, kept: SessionRecord): StoredActivity => {
  if (Option.isNone(kept.holder)) return kept.queue.length > 0 ? "queued" : "idle"
  return state.questions.some(({ answer, sessionId }) => sessionId === kept.session.id && answer === null)
    ? "asks"
    : "running"
}

const matches = (session: Session, { idPrefix, owner, parent, placement, title, workdir }: ListQuery): boolean =>
  (idPrefix === undefined || session.id.startsWith(idPrefix)) &&
  (workdir === undefined || session.workdir === workdir) &&
  (owner === undefined || session.owner === owner) &&
  (parent === undefined || session.parent === parent) &&
  (placement === undefined || session.placement === placement) &&
  (title === undefined || lowerAscii(session.title).includes(lowerAscii(title)))

/** An import leaves the time of the last change as it was, and has an event of its own. */
const isSince = ({ events, session }: SessionRecord, { since }: ListQuery): boolean =>
  since === undefined || session.updatedAt >= since || (events.at(-1)?.at ?? 0) >= since

const lowerAscii = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const does = (state: State, kept: SessionRecord, { activity, crashed = [] }: ListQuery): boolean => {
  if (activity === undefined) return true
  const lease = tenancyOf(state, kept)?.lease
  const isLeft = crashed.some(({ fence, runId }) => runId === lease?.runId && fence === lease.fence)
  return activity.includes(SessionActivity.of(activityOf(state, kept), isLeft))
}

const lastCreatedFirst = Order.reverse(Order.mapInput(Order.number, (kept: SessionRecord) => kept.ordinal))

const lastChangedFirst = Order.combine(
  Order.reverse(Order.mapInput(Order.number, ({ session }: SessionRecord) => session.updatedAt)),
  lastCreatedFirst
)

const placeOf = ({ ordinal, session }: SessionRecord): string => `${ordinal}.${session.updatedAt}`

const isBeyond = ({ after, order }: ListQuery) => {
  const [ordinal = Infinity, updatedAt = Infinity] = after?.split(".").map(Number) ?? []
  return (kept: SessionRecord): boolean =>
    order === "activity" && kept.session.updatedAt !== updatedAt
      ? kept.session.updatedAt < updatedAt
      : kept.ordinal < ordinal
}
