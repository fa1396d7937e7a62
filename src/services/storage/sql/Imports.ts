/**
 * Imports a session in portions, while it is hidden, and shows it in one commit. Until then it has no event: its newest
 * cursor is the one before its first, which is true of no other session. So no step of an import can show a session
 * that was deleted, nor one whose removal has begun.
 *
 * Its messages count as older than its first event, as if their events had been removed long ago: the cursor of each is
 * its place.
 */
import { Either } from "effect"
import * as Export from "../../../domain/Export.js"
import type { SessionId } from "../../../domain/Session.js"
import { InvalidInput, SessionExists, SessionNotFound } from "../../../domain/SkeinError.js"
import { insertAsset } from "./AssetRows.js"
import * as CursorFloor from "./CursorFloor.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { columnsOf, insertMessage } from "./MessageRow.js"
import * as SessionOrdinal from "./SessionOrdinal.js"
import { insertQuestion } from "./Questions.js"
import { insertEvent, secondOf } from "./SessionRow.js"
import { insert, insertion, sqlName } from "./Table.js"
import { grants, runs, usageNames } from "./Tables.js"
import { insertKey } from "./Transcripts.js"

const text = (stored: unknown): string => JSON.stringify(stored)
const textOrNull = (kept: Export.Kept<unknown> | null): string | null => (kept === null ? null : text(kept.stored))

const usageColumns = usageNames.map(sqlName).join(", ")

/** Parameters: twice the cursor after which its own begin at the earliest, then its own fields. */
const insertSession = `INSERT INTO session_rows
  (ordinal, first_cursor, cursor, state, id, title, named, owner, workdir, placement, parent, agent, model, metadata, head,
   created_at, updated_at, active_at, ${usageColumns})
  SELECT ${SessionOrdinal.next}, 1 + max(cursor_floor, CAST(? AS BIGINT)), max(cursor_floor, CAST(? AS BIGINT)), 'hidden',
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${usageNames.map(() => "?").join(", ")}
  FROM meta`

export function* begin(tx: Transaction, session: Export.Session): Program<void, SessionExists> {
  const { cursor, head, id, usage } = session
  if ((yield* tx.get("SELECT 1 FROM session_rows WHERE id = ?", id)) !== undefined) {
    return yield* Either.left(new SessionExists({ sessionId: id }))
  }
  yield* CursorFloor.ensure(tx)
  yield* SessionOrdinal.ensure(tx)
  // So that a client that knows the session from where it was exported has to load it again.
  const after = Math.max(cursor, head) + 1
  yield* tx.run(
    insertSession,
    after,
    after,
    id,
    session.title,
    session.named ? 1 : 0,
    session.owner,
    session.workdir ?? "",
    session.placement,
    session.parent,
    session.agent,
    textOrNull(session.model),
    text(session.metadata),
    head,
    session.createdAt,
    session.updatedAt,
    secondOf(session.updatedAt),
    ...usageNames.map((name) => usage[name])
  )
}

interface Importing {
  readonly ordinal: number
  readonly firstCursor: number
}

function* importing(tx: Transaction, sessionId: SessionId): Program<Importing, SessionNotFound> {
  return yield* Either.fromNullable(
    yield* tx.get<Importing>(
      `SELECT ordinal, first_cursor AS "firstCursor" FROM session_rows
       WHERE id = ? AND state = 'hidden' AND cursor < first_cursor`,
      sessionId
    ),
    () => new SessionNotFound({ sessionId })
  )
}

const insertRun = insertion(runs, [
  "id",
  "session",
  "state",
  "cursor",
  "stopReason",
  "detail",
  ...usageNames,
  "createdAt",
  "startedAt",
  "endedAt",
  "idempotencyKey",
  "hash",
  "metadata",
  "output",
  "actor"
])

const insertGrant = insertion(grants, ["session", "tool"])

/** Refuses an id that a row of another session has. */
function* unused(tx: Transaction, table: "runs" | "questions", id: string): Program<void, InvalidInput> {
  if ((yield* tx.get(`SELECT 1 FROM ${table} WHERE id = ?`, id)) === undefined) return
  yield* Either.left(new InvalidInput({ field: table, limit: "an id that no other session uses", actual: id }))
}

function* runOf(tx: Transaction, session: number, id: string): Program<number, InvalidInput> {
  const row = yield* tx.get<{ readonly ordinal: number }>(
    "SELECT ordinal FROM runs WHERE id = ? AND session = ?",
    id,
    session
  )
  if (row !== undefined) return row.ordinal
  return yield* Either.left(new InvalidInput({ field: "runs", limit: "a run of the session", actual: id }))
}

function* addRun(tx: Transaction, session: number, run: Export.Run): Program<void, InvalidInput> {
  yield* unused(tx, "runs", run.id)
  const output = run.output === null ? null : text(run.output)
  yield* insert(tx, insertRun, { ...run, ...run.usage, session, state: "ended", metadata: text(run.metadata), output })
  if (run.resumes === null) return
  const earlier = yield* runOf(tx, session, run.resumes)
  yield* tx.run(
    "UPDATE runs SET resumed_by = (SELECT ordinal FROM runs WHERE id = ?) WHERE ordinal = ?",
    run.id,
    earlier
  )
}

function* addMessage(tx: Transaction, session: number, row: Export.Message): Program<void, InvalidInput> {
  const { actor, at, display, finished, message, runId, seq, startedAt } = row
  const columns = columnsOf(message.value, text(message.stored))
  yield* insert(tx, insertMessage, {
    ...columns,
    session,
    seq,
    follows: seq - 1,
    mark: tx.mark,
    run: runId === null ? null : yield* runOf(tx, session, runId),
    at,
    outcome: columns.outcome === null ? null : Export.wordOf(message.stored, "outcome"),
    startedAt,
    finished,
    display: textOrNull(display),
    actor
  })
  tx.recorded("messages", session, seq)
}

function* addQuestion(tx: Transaction, session: number, row: Export.Question): Program<void, InvalidInput> {
  yield* unused(tx, "questions", row.id)
  const { access, answer, askedAt, callId, display, id, input, runId, seq, tool } = row
  yield* insert(tx, insertQuestion, {
    id,
    session,
    run: yield* runOf(tx, session, runId),
    seq,
    call: callId,
    tool,
    access,
    askedAt,
    verdict: Export.wordOf(answer.stored, "verdict"),
    answer: text(answer.stored),
    input: text(input),
    display: textOrNull(display)
  })
}

function* add(tx: Transaction, session: number, row: Export.Row): Program<void, InvalidInput> {
  switch (row.type) {
    case "run":
      return yield* addRun(tx, session, row)
    case "message":
      return yield* addMessage(tx, session, row)
    case "question":
      return yield* addQuestion(tx, session, row)
    case "grant":
      return void (yield* insert(tx, insertGrant, { ...row, session }))
    case "append-key":
      return void (yield* insert(tx, insertKey, { ...row, session }))
    case "asset":
      return void (yield* insert(tx, insertAsset, { ...row, session }))
  }
}

export function* addRows(
  tx: Transaction,
  { rows, sessionId }: { readonly sessionId: SessionId; readonly rows: ReadonlyArray<Export.Row> }
): Program<void, InvalidInput | SessionNotFound> {
  const { ordinal } = yield* importing(tx, sessionId)
  for (const row of rows) yield* add(tx, ordinal, row)
}

export function* finish(tx: Transaction, sessionIds: ReadonlyArray<SessionId>): Program<void, SessionNotFound> {
  for (const sessionId of sessionIds) {
    const { firstCursor: cursor, ordinal: session } = yield* importing(tx, sessionId)
    const event = { session, cursor, mark: tx.mark, at: tx.now, type: "session.created" }
    yield* insert(tx, insertEvent, { ...event, run: null, seq: null, ref: null, actor: tx.actor })
    tx.recorded("event_rows", session, cursor)
    yield* tx.run("UPDATE session_rows SET state = 'live', cursor = first_cursor WHERE ordinal = ?", session)
    tx.touch(sessionId)
  }
  yield* CursorFloor.ensure(tx)
  yield* tx.run("UPDATE meta SET deletions = deletions + 1")
}
