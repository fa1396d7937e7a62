/**
 * Events are stored as references. What they show comes from today's rows, in the one statement that reads them: a
 * call's event shows the row of its result or, while it has none, the row of the open call.
 *
 * A message that was appended immediately has no other row for its event. The first such message after a cursor is
 * found by binary search, because `follows` never decreases from one place to the next. From there on each place has an
 * event after the cursor, so a page of events has no more places than events.
 */
import { Array, Effect, Either, Schema } from "effect"
import { CallDisplay, none as noDisplay } from "../../../domain/CallDisplay.js"
import type { ModelRef } from "../../../domain/ModelRef.js"
import type { SessionId } from "../../../domain/Session.js"
import * as SessionEvent from "../../../domain/SessionEvent.js"
import * as Stored from "../../../domain/Stored.js"
import { CursorGone, RowDamaged, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import type { EventPage } from "../Storage.js"
import { decodePage, decoder, exactJson, type RowName } from "./Decoding.js"
import * as EventEntries from "./EventEntries.js"
import { exactly } from "../../../domain/ExactCheck.js"
import type { Query } from "./Query.js"
import { sqlName } from "./Table.js"
import { messages, sessionRows, usageNames } from "./Tables.js"

/** The session's row, which comes first. Each of its columns has the type of the event column in its position. */
type SessionColumns = readonly [
  cursor: null,
  first: number,
  title: string,
  workdir: string,
  newest: number,
  model: string | null,
  agent: string | null
]

/** What an event may show. `name` is its tool or role, `word` its outcome, verdict or stop reason. */
type EventColumns = readonly [
  cursor: number,
  at: number,
  type: string,
  runId: string | null,
  seq: number | null,
  callId: string | null,
  name: string | null,
  word: string | null,
  ref: string | null,
  /** Of a run's end: its detail, and then its usage. */
  end: string | null,
  /** Who answered a question. */
  by: string | null,
  actor: string | null,
  /** How a call is shown. */
  display: string | null
]

/** Parameters: session, cursor, number of events. */
const statement = `WITH RECURSIVE
  kept AS MATERIALIZED (
    SELECT ordinal, first_cursor AS first, cursor AS newest, title, model, agent, workdir, head,
      max(column2, first_cursor - 1) AS since, column3 AS size
    FROM (VALUES (CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT))) AS given JOIN session_rows ON id = column1 AND state <> 'hidden'
  ),
  search (low, high) AS (
    SELECT CAST(0 AS BIGINT), head FROM kept
    UNION ALL
    SELECT CASE WHEN follows < since THEN (low + high + 1) / 2 ELSE low END,
      CASE WHEN follows < since THEN high ELSE (low + high + 1) / 2 - 1 END FROM search CROSS JOIN kept
    LEFT JOIN messages ON session = ordinal AND seq = (low + high + 1) / 2 WHERE low < high
  ),
  told AS (
    SELECT session, cursor, at, type, run, seq, ref, actor FROM kept JOIN event_rows
    ON session = ordinal AND cursor > since AND cursor <= since + size
    UNION ALL
    SELECT session, cursor, at, 'message.appended', run, seq, NULL, actor FROM kept
    CROSS JOIN (SELECT max(low) AS low FROM search) AS found JOIN messages
    ON session = ordinal AND seq > low AND seq <= low + size AND cursor > since AND cursor <= since + size
  )
  SELECT CAST(NULL AS BIGINT), first, title, workdir, newest, model, agent, NULL, NULL, NULL, NULL, NULL, NULL FROM kept
  UNION ALL
  SELECT told.cursor, told.at, told.type, runs.id, coalesce(told.seq, questions.seq),
    coalesce(questions.call, messages.call, calls.id),
    CASE WHEN told.type = 'message.appended' THEN messages.role ELSE coalesce(questions.tool, messages.name, calls.name) END,
    CASE told.type
      WHEN 'run.ended' THEN runs.stop_reason
      WHEN 'permission.answered' THEN questions.verdict
      ELSE messages.outcome
    END,
    told.ref,
    CASE WHEN told.type = 'run.ended' THEN
      json_array(runs.detail, ${usageNames.map((name) => `runs.${sqlName(name)}`).join(", ")}) END,
    CASE WHEN told.type = 'permission.answered' AND json_valid(questions.answer) THEN json_extract(questions.answer, '$.by') END,
    told.actor,
    CASE told.type
      WHEN 'permission.asked' THEN questions.display
      WHEN 'message.appended' THEN NULL
      ELSE coalesce(messages.display, calls.display)
    END
  FROM told
  LEFT JOIN runs ON runs.ordinal = told.run
  LEFT JOIN messages ON messages.session = told.session AND messages.seq = told.seq
  LEFT JOIN calls ON messages.seq IS NULL AND calls.session = told.session AND calls.seq = told.seq
  LEFT JOIN questions ON questions.id = told.ref
  ORDER BY 1 NULLS FIRST`

const isExact = exactly(SessionEvent.Durable)
const decodeModel = decoder(sessionRows.columns.model.schema)
const decodeEvent = decoder(SessionEvent.Durable)
const decodeEnd = decoder(Schema.parseJson(Schema.Tuple([Schema.NullOr(Schema.String)], Schema.Unknown)))

interface Today {
  readonly sessionId: SessionId
  readonly title: string
  readonly model: ModelRef | null
  readonly agent: string | null
  readonly workdir: string | null
}

/** The event of a row as its Schema has it, if the row is sound; null for all but the most frequent types. */
const plain = (
  today: Today,
  [cursor, at, type, runId, seq, callId, name, word, , , , actor]: EventColumns,
  display: CallDisplay | null
): unknown => {
  const { sessionId } = today
  switch (type) {
    case "message.appended":
      return { type, sessionId, cursor, at, actor, runId, seq, role: name }
    case "call.started":
      return { type, sessionId, cursor, at, actor, runId, callId, seq, name, display }
    case "call.finished":
      return { type, sessionId, cursor, at, actor, runId, callId, seq, name, outcome: word, display }
    case "session.renamed":
      return { type, sessionId, cursor, at, actor, title: today.title }
    default:
      return null
  }
}

const exactDisplay = exactJson(CallDisplay)
const decodeDisplay = decoder(messages.columns.display.schema)

const noEnd = Either.right([null] as const)

const decode = (today: Today, row: EventColumns) => {
  const shown = row[12] === null ? noDisplay : exactDisplay(row[12])
  const exact = plain(today, row, shown ?? null)
  if (isExact(exact)) return Either.right(exact)
  const [cursor, at, type, runId, seq, callId, name, word, ref, end, by, actor, display] = row
  const named: RowName = { sessionId: today.sessionId, seq: null }
  return Either.gen(function* () {
    const [detail, ...usage] = yield* end === null ? noEnd : decodeEnd(named, end)
    const place = { cursor, at, actor, type, runId, seq, callId, questionId: ref, assetId: ref }
    const names = { name, tool: name, role: name }
    const words = { outcome: word, verdict: word, stopReason: word, detail, by }
    const event = Stored.event({ ...today, ...place, ...names, ...words })
    return yield* decodeEvent(named, {
      ...event,
      usage: Object.fromEntries(Array.zip(usageNames, usage)),
      display: yield* decodeDisplay(named, display)
    })
  })
}

export const read = (
  query: Query,
  { after, entries = false, limit, sessionId }: EventPage
): Effect.Effect<ReadonlyArray<SessionEvent.Durable>, SessionNotFound | CursorGone | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query.values<SessionColumns | EventColumns>(
      "read the events",
      statement,
      sessionId,
      after,
      Math.max(limit, 1)
    )
    const [kept, ...told] = rows
    if (kept === undefined || !isSession(kept)) return yield* new SessionNotFound({ sessionId })
    const [, first, title, workdir, newest, model, agent] = kept
    if (after > newest || (after !== 0 && after < first - 1)) {
      return yield* new CursorGone({ sessionId, after, oldest: first, newest })
    }
    const from = Math.max(after + 1, first)
    const page = Array.takeWhile(told, (row, index): row is EventColumns => row[0] === from + index)
    const name: RowName = { sessionId, seq: null }
    if (page.length === 0 && from <= newest) {
      return yield* new RowDamaged({ ...name, detail: `event ${from} is missing` })
    }
    const today: Today = {
      sessionId,
      title,
      model: yield* decodeModel(name, model),
      agent,
      workdir: workdir === "" ? null : workdir
    }
    const events = yield* decodePage(page.slice(0, limit), (row) => decode(today, row))
    return entries ? yield* EventEntries.add(query, sessionId, events) : events
  })

const isSession = (row: SessionColumns | EventColumns): row is SessionColumns => row[0] === null
