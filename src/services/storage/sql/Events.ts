/**
 * Events are stored as references. What they show comes from today's rows, in the one statement that reads them: a
 * call's event shows the row of its result or, while there is none, that of the open call.
 *
 * A message that was appended at once has no other row for its event. The first such message after a cursor is found by
 * binary search, as `follows` never decreases from one place to the next. From there on each place has an event after
 * the cursor, so a page of events has no more places than events.
 */
import { Array, Effect } from "effect"
import type { SessionId } from "../../../domain/Session.js"
import * as SessionEvent from "../../../domain/SessionEvent.js"
import * as Stored from "../../../domain/Stored.js"
import { CursorGone, RowDamaged, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Total } from "../../../domain/Usage.js"
import { decodePage, decoder, type RowName } from "./Decoding.js"
import type { Query } from "./Query.js"
import { select } from "./Table.js"
import { runs, sessionRows, usageNames } from "./Tables.js"

interface SessionColumns {
  readonly first: number
  readonly newest: number
  readonly title: string
  readonly model: string | null
  readonly workdir: string
}

/** Everything that an event may show. Columns that its type does not have are null. */
interface Row extends SessionColumns, Total {
  readonly cursor: number
  readonly type: string
  readonly ref: string | null
  readonly stopReason: string | null
  readonly detail: string | null
  readonly role: string | null
  readonly outcome: string | null
  readonly verdict: string | null
}

/** Parameters: session, cursor, number of events. */
const statement = `WITH RECURSIVE
  kept AS MATERIALIZED (
    SELECT ordinal, first_cursor AS first, cursor AS newest, title, model, workdir,
      max(column2, first_cursor - 1) AS since, column3 AS size
    FROM (VALUES (?, ?, ?)) JOIN sessions ON id = column1 AND state <> 'hidden'
  ),
  search (low, high) AS (
    SELECT 0, (SELECT max(seq) FROM messages WHERE session = kept.ordinal) FROM kept
    UNION ALL
    SELECT iif(follows < since, (low + high + 1) / 2, low), iif(follows < since, high, (low + high + 1) / 2 - 1) FROM search, kept
    LEFT JOIN messages ON session = ordinal AND seq = (low + high + 1) / 2 WHERE low < high
  ),
  told AS (
    SELECT session, cursor, at, type, run, seq, ref FROM kept JOIN event_rows
    ON session = ordinal AND cursor > since AND cursor <= since + size
    UNION ALL
    SELECT session, cursor, at, 'message.appended', run, seq, NULL FROM kept
    JOIN (SELECT max(low) AS low FROM search) JOIN messages
    ON session = ordinal AND seq > low AND seq <= low + size AND cursor > since AND cursor <= since + size
  )
  SELECT kept.first, kept.newest, kept.title, kept.model, kept.workdir, told.cursor, told.at, told.type, told.seq, told.ref,
    runs.id AS runId, runs.stop_reason AS stopReason, runs.detail, ${select(runs, usageNames)}, messages.role,
    messages.outcome, questions.tool, questions.verdict, coalesce(questions.call, messages.call, calls.id) AS callId,
    coalesce(messages.name, calls.name) AS name
  FROM kept
  LEFT JOIN told
  LEFT JOIN runs ON runs.ordinal = told.run
  LEFT JOIN messages ON messages.session = told.session AND messages.seq = told.seq
  LEFT JOIN calls ON calls.session = told.session AND calls.seq = told.seq
  LEFT JOIN questions ON questions.id = told.ref
  ORDER BY told.cursor`

const decodeModel = decoder(sessionRows.columns.model.schema)
const decodeEvent = decoder(SessionEvent.Durable)

export const read = (
  query: Query,
  { after, limit, sessionId }: { readonly sessionId: SessionId; readonly after: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<SessionEvent.Durable>, SessionNotFound | CursorGone | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<Row | (SessionColumns & { readonly cursor: null })>(
      "read the events",
      statement,
      sessionId,
      after,
      Math.max(limit, 1)
    )
    const kept = rows[0]
    if (kept === undefined) return yield* new SessionNotFound({ sessionId })
    const { first, newest } = kept
    if (after > newest || (after !== 0 && after < first - 1)) {
      return yield* new CursorGone({ sessionId, after, oldest: first, newest })
    }
    const from = Math.max(after + 1, first)
    const page = Array.takeWhile(rows, (row, index): row is Row => row.cursor === from + index)
    const name: RowName = { sessionId, seq: null }
    if (page.length === 0 && from <= newest) {
      return yield* new RowDamaged({ ...name, detail: `event ${from} is missing` })
    }
    const today = {
      sessionId,
      model: yield* decodeModel(name, kept.model),
      workdir: kept.workdir === "" ? null : kept.workdir
    }
    return yield* decodePage(page.slice(0, limit), (row) =>
      decodeEvent(name, { ...Stored.event(row), ...today, questionId: row.ref, assetId: row.ref, usage: row })
    )
  })
