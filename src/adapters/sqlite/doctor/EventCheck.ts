/**
 * Whether all of a session's events are there and decode. A damaged log is not mended: an event only refers to what is
 * stored elsewhere, so nothing is lost with it, and clients from before the damage load the session again.
 */
import { Effect, Either } from "effect"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import * as Events from "../../../services/storage/sql/Events.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import { type Finding, type Ids, make, type SessionKey } from "./Finding.js"

const page = 500

interface Bounds {
  readonly first: number
  readonly newest: number
}

const boundsOf = (query: Query, { ordinal }: SessionKey) =>
  Effect.map(
    query<Bounds>(
      "look at the events",
      "SELECT first_cursor AS first, cursor AS newest FROM sessions WHERE ordinal = ?",
      ordinal
    ),
    ([row]) => row ?? { first: 1, newest: 0 }
  )

/** The next event after a cursor; null when there is none. */
const nextAfter = (query: Query, { ordinal }: SessionKey, after: number) =>
  Effect.map(
    query<{ readonly next: number | null }>(
      "look for the next event",
      "SELECT min(cursor) AS next FROM events WHERE session = ? AND cursor > ?",
      ordinal,
      after
    ),
    ([row]) => row?.next ?? null
  )

/** Looks at all of a session's events. */
export const check = (query: Query, session: SessionKey): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const { first, newest } = yield* boundsOf(query, session)
    const damaged: Array<Omit<Ids["events-damaged"], "session">> = []
    let after = first - 1
    while (after < newest) {
      const read = yield* Effect.either(Events.read(query, { sessionId: session.id, after, limit: page }))
      if (Either.isRight(read)) {
        after = read.right.at(-1)?.cursor ?? newest
        continue
      }
      const error: Effect.Effect.Error<ReturnType<typeof Events.read>> = read.left
      if (error._tag === "StorageFailed") return yield* error
      const detail: string = error._tag === "RowDamaged" ? error.detail : "cannot be read"
      const next: number | null = yield* nextAfter(query, session, after)
      const last: number = Math.max(after + 1, (next ?? newest + 1) - 1)
      damaged.push({
        firstEvent: after + 1,
        lastEvent: last,
        detail: detail.endsWith("is missing") ? "missing" : detail
      })
      after = last
    }
    const [head] = damaged
    return head === undefined
      ? []
      : [make("events-damaged", { session, ...head, lastEvent: damaged.at(-1)?.lastEvent ?? head.lastEvent }, [])]
  })
