/**
 * The timeline: steps and calls with a result from the rows of their messages, open calls from their own. A page is
 * bounded in rows and in the bytes of its steps' messages, which have to be parsed for what is shown of them.
 */
import { Chunk, Effect, Either, Option, Schema, Stream } from "effect"
import * as Stored from "../../../domain/Stored.js"
import type { Seq, SessionId } from "../../../domain/Session.js"
import { RowDamaged, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import { TimelineCall, type TimelineRow, TimelineStep } from "../../../domain/Timeline.js"
import type { Timestamp } from "../../../domain/Timestamp.js"
import type { Turn } from "../../EventLoop.js"
import type { TranscriptRange } from "../Storage.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { messages } from "./Tables.js"

/**
 * The most places read at a time, and the most bytes of the messages of steps among them, unless the first alone has
 * more.
 */
const portion = { places: 500, bytes: 512 * 1024 }

/** The step that the calls after it belong to. */
interface Asking {
  readonly seq: Seq
  readonly at: Timestamp
}

interface Row {
  readonly seq: Seq
  readonly role: string
  readonly runId: string | null
  readonly at: number | null
  readonly callId: string | null
  readonly name: string | null
  readonly outcome: string | null
  readonly startedAt: number | null
  readonly finished: number | null
  readonly display: string | null
  /** Of a step: model, finish, usage and partial, as a JSON array. */
  readonly step: string | null
}

const shownOfStep = `CASE WHEN messages.role = 'assistant' AND json_valid(messages.body)
  THEN json_extract(messages.body, '$.model', '$.finish', '$.usage', '$.partial') END`

/**
 * Parameters: session, first place, last place. The session's own row comes first: where the page ends, and the last
 * place of the session.
 */
const page = `WITH asked AS MATERIALIZED (
    SELECT ordinal, column2 AS first, min(column3, column2 + ${portion.places - 1}) AS last
    FROM (VALUES (CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT))) AS given JOIN session_rows ON id = column1 AND state <> 'hidden'
  ),
  steps AS MATERIALIZED (
    SELECT seq, sum(octet_length(body)) OVER (ORDER BY seq) AS bytes FROM messages
    WHERE session = (SELECT ordinal FROM asked) AND role = 'assistant'
      AND seq BETWEEN (SELECT first FROM asked) AND (SELECT last FROM asked)
  ),
  bounds AS MATERIALIZED (
    SELECT ordinal, first, coalesce((SELECT min(seq) - 1 FROM steps WHERE bytes > ${portion.bytes} AND seq > first), last) AS last,
      max(
        coalesce((SELECT max(seq) FROM messages WHERE session = ordinal), 0),
        coalesce((SELECT max(seq) FROM calls WHERE session = ordinal), 0)
      ) AS places
    FROM asked
  )
  SELECT last AS seq, 'session' AS role, CAST(NULL AS TEXT) AS "runId", places AS at, CAST(NULL AS TEXT) AS "callId", NULL AS name, NULL AS outcome,
    NULL AS "startedAt", NULL AS finished, NULL AS display, NULL AS step FROM bounds
  UNION ALL
  SELECT * FROM (
    SELECT messages.seq, messages.role, (SELECT id FROM runs WHERE ordinal = messages.run), messages.at, messages.call,
      messages.name, messages.outcome, messages.started_at, messages.finished, messages.display, ${shownOfStep}
    FROM messages WHERE messages.session = (SELECT ordinal FROM bounds)
      AND messages.seq BETWEEN (SELECT first FROM bounds) AND (SELECT last FROM bounds)
    UNION ALL
    SELECT calls.seq, 'open', (SELECT id FROM runs WHERE session = calls.session AND state = 'running'), NULL, calls.id,
      calls.name, NULL, calls.started_at, NULL, calls.display, NULL
    FROM calls WHERE calls.session = (SELECT ordinal FROM bounds)
      AND calls.seq BETWEEN (SELECT first FROM bounds) AND (SELECT last FROM bounds)
    ORDER BY 1
  ) AS places`

/** Parameters: session, place. */
const asking = `SELECT messages.seq, messages.at FROM session_rows JOIN messages ON messages.session = session_rows.ordinal
  WHERE session_rows.id = ? AND session_rows.state <> 'hidden' AND messages.seq < ? AND messages.role = 'assistant'
  ORDER BY messages.seq DESC LIMIT 1`

const decodeShown = decoder(
  Schema.parseJson(
    Schema.Tuple(
      TimelineStep.fields.model,
      Stored.FinishReason,
      TimelineStep.fields.usage,
      Schema.NullOr(Schema.Literal(true))
    )
  )
)
const decodeStep = decoder(Schema.typeSchema(TimelineStep))
const decodeCall = decoder(
  Schema.Struct({
    ...TimelineCall.fields,
    outcome: messages.columns.outcome.schema,
    display: messages.columns.display.schema
  })
)

const rowOf = (
  sessionId: SessionId,
  row: Row,
  by: Asking | null
): Either.Either<Option.Option<TimelineRow>, RowDamaged> =>
  Either.gen(function* () {
    const named = { sessionId, seq: row.seq }
    const { callId, display, finished, name, outcome, runId, seq, startedAt } = row
    if (row.role === "assistant") {
      const [model, finish, usage, partial] = yield* decodeShown(named, row.step)
      const step = {
        type: "step",
        seq,
        runId,
        startedAt,
        endedAt: row.at,
        model,
        finish,
        usage,
        partial: partial === true
      }
      return Option.some(yield* decodeStep(named, step))
    }
    if ((row.role !== "tool" && row.role !== "open") || by === null) return Option.none()
    const times = { askedAt: by.at, startedAt, endedAt: row.at, finished }
    const call = { type: "call", seq, runId, step: by.seq, callId, name, display, outcome, ...times }
    return Option.some(yield* decodeCall(named, call))
  })

interface Page {
  readonly rows: ReadonlyArray<TimelineRow>
  /** The step that the calls after the page belong to. */
  readonly by: Asking | null
  /** The place of the first row that is damaged. */
  readonly damagedAt: number | null
}

/** A page, up to the first row that is damaged. */
const pageOf = (
  sessionId: SessionId,
  rows: ReadonlyArray<Row>,
  before: Asking | null
): Either.Either<Page, RowDamaged> => {
  const shown: Array<TimelineRow> = []
  let by = before
  for (const row of rows) {
    const decoded = rowOf(sessionId, row, by)
    if (Either.isLeft(decoded)) {
      return shown.length === 0 ? Either.left(decoded.left) : Either.right({ rows: shown, by, damagedAt: row.seq })
    }
    if (Option.isNone(decoded.right)) continue
    const one = decoded.right.value
    if (one.type === "step") by = { seq: one.seq, at: one.endedAt }
    shown.push(one)
  }
  return Either.right({ rows: shown, by, damagedAt: null })
}

const operation = "read the timeline"

/** Where a page begins. */
interface Position {
  readonly first: number
  readonly by: Asking | null
  readonly pages: number
}

export const stream = (
  query: Query,
  turn: Turn,
  { from = 1, sessionId, to = Number.MAX_SAFE_INTEGER }: TranscriptRange
): Stream.Stream<TimelineRow, SessionNotFound | StorageFailed | RowDamaged> => {
  const start: Position = { first: Math.max(from, 1), by: null, pages: 0 }
  return Stream.paginateChunkEffect(start, ({ by, first, pages }) =>
    Effect.gen(function* () {
      if (pages > 0) yield* turn
      const [before] = pages === 0 && first > 1 ? yield* query<Asking>(operation, asking, sessionId, first) : []
      const [session, ...rows] = yield* query<Row>(operation, page, sessionId, first, to)
      if (session === undefined) return yield* new SessionNotFound({ sessionId })
      const read = yield* pageOf(sessionId, rows, before ?? by)
      const next = read.damagedAt ?? session.seq + 1
      const isLast = next > Math.min(to, session.at ?? 0)
      return [
        Chunk.unsafeFromArray(read.rows),
        isLast ? Option.none() : Option.some({ first: next, by: read.by, pages: pages + 1 })
      ]
    })
  )
}
