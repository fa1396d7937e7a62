/** The states of sessions, for listeners to changes: of given sessions, and of those that changed in a time range. */
import { Array, Effect, Either, Schema } from "effect"
import { ChangeKind } from "../../../domain/SessionHint.js"
import { Cursor, Owner, SessionId } from "../../../domain/Session.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import { Timestamp } from "../../../domain/Timestamp.js"
import type { SessionChanges, SessionState, StoredActivity } from "../Storage.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { tenancyColumns, tenancyOf, type TenancyRow } from "./RunRows.js"
import { activity, withHolder } from "./SessionLists.js"
import { secondOf } from "./SessionRow.js"

const place = { sessionId: SessionId, cursor: Cursor, updatedAt: Timestamp }
const decodePlace = decoder(Schema.Struct(place))
const decodeState = decoder(Schema.Struct({ ...place, owner: Schema.NullOr(Owner) }))
const isKind = Schema.is(ChangeKind)

const placeColumns = `session_rows.id AS "sessionId", session_rows.cursor, session_rows.updated_at AS "updatedAt"`

interface StateRow extends TenancyRow {
  readonly kind: string
  readonly activity: StoredActivity
}

export const read = (
  query: Query,
  sessionIds: ReadonlyArray<SessionId>
): Effect.Effect<ReadonlyArray<SessionState>, StorageFailed> =>
  Effect.map(
    query<StateRow>(
      "read the sessions that changed",
      `SELECT ${placeColumns}, session_rows.owner, ${tenancyColumns}, ${activity} AS activity,
         coalesce(event_rows.type, 'message.appended') AS kind
       FROM json_each(?) AS asked
       CROSS JOIN session_rows ${withHolder}
       LEFT JOIN event_rows ON event_rows.session = session_rows.ordinal AND event_rows.cursor = session_rows.cursor
       WHERE session_rows.id = asked.value AND session_rows.state <> 'hidden'`,
      JSON.stringify(sessionIds)
    ),
    (rows) =>
      Array.getRights(
        rows.map((row) =>
          Either.map(decodeState({ sessionId: row.sessionId, seq: null }, row), (state) => ({
            ...state,
            kind: isKind(row.kind) ? row.kind : ("other" as const),
            activity: row.activity,
            tenancy: tenancyOf(row)
          }))
        )
      )
  )

interface ChangeRow {
  readonly deletions: number
  readonly sessionId: string | null
}

/** The number of deletions is read with each session, and by itself when there is no session. */
export const changes = (
  query: Query,
  { from, limit, to }: { readonly from: Timestamp; readonly to: Timestamp; readonly limit: number }
): Effect.Effect<SessionChanges, StorageFailed> =>
  Effect.map(
    query<ChangeRow>(
      "look for sessions that changed",
      `SELECT counted.deletions, changed.* FROM (SELECT coalesce(max(deletions), 0) AS deletions FROM meta) AS counted
       LEFT JOIN (
         SELECT ${placeColumns} FROM session_rows
         WHERE session_rows.active_at BETWEEN ? AND ? AND session_rows.updated_at BETWEEN ? AND ? AND session_rows.state <> 'hidden'
         ORDER BY session_rows.active_at, session_rows.updated_at, session_rows.ordinal LIMIT ?
       ) AS changed ON true`,
      secondOf(from),
      secondOf(to),
      from,
      to,
      limit
    ),
    (rows) => ({
      deletions: rows[0]?.deletions ?? 0,
      sessions: Array.getRights(
        rows.map((row) => decodePlace({ sessionId: row.sessionId ?? "", seq: null }, row))
      ).toSorted((one, other) => one.updatedAt - other.updatedAt)
    })
  )
