/**
 * Events are kept as references: what they show comes from today's rows, in the one statement that reads them. Of a call
 * they tell from the row of its result; as long as there is none, from that of the open call.
 */
import { Array, Effect, Schema } from "effect"
import { ModelRef } from "../../domain/ModelRef.js"
import type { SessionId } from "../../domain/Session.js"
import * as SessionEvent from "../../domain/SessionEvent.js"
import { CursorGone, RowDamaged, SessionNotFound, type StorageFailed } from "../../domain/SkeinError.js"
import type { Total } from "../../domain/Usage.js"
import { decodePage, decoder, type Place } from "./Decoding.js"
import type { Query } from "./Query.js"
import { usageColumns } from "./SessionRow.js"

interface Kept {
  readonly first: number
  readonly newest: number
  readonly title: string
  readonly model: string | null
}

/** Everything that an event may show; what does not belong to its type is null. */
interface Row extends Kept, Total {
  readonly cursor: number
  readonly type: string
  readonly ref: string | null
}

const statement = `SELECT sessions.first_cursor AS first, sessions.cursor AS newest, sessions.title, sessions.model,
  events.cursor, events.at, events.type, events.seq, events.ref, runs.id AS runId, runs.stop_reason AS stopReason,
  runs.detail, ${usageColumns("runs")}, messages.role, messages.outcome, questions.tool, questions.verdict,
  coalesce(questions.call, messages.call, calls.id) AS callId, coalesce(messages.name, calls.name) AS name
  FROM sessions
  LEFT JOIN events ON events.session = sessions.ordinal AND events.cursor > ?
  LEFT JOIN runs ON runs.ordinal = events.run
  LEFT JOIN messages ON messages.session = events.session AND messages.seq = events.seq
  LEFT JOIN calls ON calls.session = events.session AND calls.seq = events.seq
  LEFT JOIN questions ON questions.id = events.ref
  WHERE sessions.id = ? AND sessions.state <> 'hidden' ORDER BY events.cursor LIMIT ?`

const decodeModel = decoder(Schema.NullOr(Schema.parseJson(ModelRef)))
const decodeEvent = decoder(SessionEvent.Durable)

export const read = (
  query: Query,
  { after, limit, sessionId }: { readonly sessionId: SessionId; readonly after: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<SessionEvent.Durable>, SessionNotFound | CursorGone | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<Row | (Kept & { readonly cursor: null })>(
      "read the events",
      statement,
      after,
      sessionId,
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
    const place: Place = { sessionId, seq: null }
    if (page.length === 0 && from <= newest) {
      return yield* new RowDamaged({ ...place, detail: `event ${from} is missing` })
    }
    const today = { sessionId, model: yield* decodeModel(place, kept.model) }
    return yield* decodePage(page.slice(0, limit), (row) =>
      decodeEvent(place, { ...row, ...today, questionId: row.ref, assetId: row.ref, usage: row })
    )
  })
