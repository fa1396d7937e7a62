/**
 * Batches. A message with calls reserves a place for the result of each: a small row of `calls`. When a call ends, its
 * result is stored in that place and the row is removed. The head then moves to the place before the first call without
 * a result. The rows decide how far, in the commit that stores the result.
 */
import { Effect, Either, Schema } from "effect"
import * as Batch from "../../../domain/Batch.js"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import type { Checked } from "../../../domain/Checked.js"
import type { Lease } from "../../../domain/Lease.js"
import type { Entry, ResultMessage } from "../../../domain/Message.js"
import { OpenCall } from "../../../domain/OpenBatch.js"
import * as Stored from "../../../domain/Stored.js"
import type { Seq, SessionId } from "../../../domain/Session.js"
import {
  InvalidInput,
  LeaseLost,
  type RowDamaged,
  SessionNotFound,
  type StorageFailed
} from "../../../domain/SkeinError.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { Turn } from "../../EventLoop.js"
import type { OpenBatch, StoredResult } from "../Storage.js"
import { answerOvertaken } from "./Answers.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { complete, completeAll } from "./Results.js"
import { held, record, type SessionAndRun, type SessionRow } from "./SessionRow.js"
import { select } from "./Table.js"
import { calls as table } from "./Tables.js"
import { decodeEntries, type EntryRow } from "./Transcripts.js"

/** An open call, and the newest event when its place was reserved. */
export interface CallRow extends Omit<OpenCall, "display"> {
  readonly follows: number
  readonly display: string | null
}

/** A call's display as it is stored: null when there is nothing to show. */
export const displayText = (display: CallDisplay.CallDisplay): string | null =>
  CallDisplay.isNone(display) ? null : JSON.stringify(display)

const callColumns = `${select(table, ["seq", "state", "name", "startedAt", "display"])}, calls.position AS "index",
  calls.id AS "callId", calls.question AS "questionId"`

export function* startCall(
  tx: Transaction,
  {
    display,
    lease,
    seq
  }: { readonly lease: Lease; readonly seq: Seq; readonly display?: CallDisplay.CallDisplay | undefined }
): Program<boolean, LeaseLost> {
  const session = yield* held(tx, lease)
  if (session.state !== "live") return yield* Either.left(new LeaseLost(lease))
  if (display !== undefined) yield* setDisplay(tx, session, seq, display)
  const started = yield* tx.run(
    "UPDATE calls SET state = 'started', started_at = ? WHERE session = ? AND seq = ? AND state = 'pending'",
    tx.now,
    session.ordinal,
    seq
  )
  if (started > 0) yield* recordStart(tx, session, seq)
  return started > 0
}

/** Stores the display of a pending call, which was not known when its step was stored. */
export function* setDisplay(
  tx: Transaction,
  { ordinal }: SessionRow,
  seq: Seq,
  display: CallDisplay.CallDisplay
): Program<void> {
  const text = displayText(display)
  if (text !== null) {
    yield* tx.run(
      "UPDATE calls SET display = ? WHERE session = ? AND seq = ? AND state = 'pending'",
      text,
      ordinal,
      seq
    )
  }
}

/** Records that a call has started. */
export const recordStart = (tx: Transaction, session: SessionAndRun, seq: Seq): Program<void> =>
  record(tx, session, "call.started", { run: session.run, seq })

const decodeResult = decoder(Schema.parseJson(Stored.ResultMessage))

export function* storeResult(
  tx: Transaction,
  {
    lease,
    result: { json, value: result },
    seq
  }: { readonly lease: Lease; readonly seq: Seq; readonly result: Checked<ResultMessage> }
): Program<StoredResult, LeaseLost | InvalidInput | RowDamaged> {
  const session = yield* held(tx, lease)
  const call = yield* tx.get<
    Pick<CallRow, "display" | "follows" | "questionId" | "startedAt" | "state"> & { readonly id: string }
  >(
    `DELETE FROM calls WHERE session = ? AND seq = ?
     RETURNING id, state, follows, started_at AS "startedAt", display, question AS "questionId"`,
    session.ordinal,
    seq
  )
  if (call === undefined) return yield* completedBefore(tx, session, seq, result)
  const { id, questionId, state, ...kept } = call
  yield* checkCall(id, result)
  yield* answerOvertaken(tx, session, [{ questionId, state }])
  yield* complete(tx, session, { ...kept, run: session.run, seq, message: result, body: json })
  return { result }
}

function* completedBefore(
  tx: Transaction,
  session: SessionRow,
  seq: Seq,
  result: ResultMessage
): Program<StoredResult, InvalidInput | RowDamaged> {
  const row = yield* tx.get<{ readonly call: string; readonly body: string }>(
    "SELECT call, body FROM messages WHERE session = ? AND seq = ? AND role = 'tool'",
    session.ordinal,
    seq
  )
  if (row === undefined) {
    return yield* Either.left(new InvalidInput({ field: "seq", limit: "the place of a call", actual: `${seq}` }))
  }
  yield* checkCall(row.call, result)
  return { result: yield* decodeResult({ sessionId: session.id, seq }, row.body) }
}

const checkCall = (callId: string, result: ResultMessage): Either.Either<void, InvalidInput> =>
  result.callId === callId
    ? Either.void
    : Either.left(new InvalidInput({ field: "result.callId", limit: callId, actual: result.callId }))

/** The open batch's calls without a result, in order. */
export const openCalls = (tx: Transaction, { ordinal }: SessionRow): Statement<ReadonlyArray<CallRow>> =>
  tx.all<CallRow>(`SELECT ${callColumns}, calls.follows FROM calls WHERE session = ? ORDER BY seq`, ordinal)

/** Closes open calls, as if each was completed in call order. */
export function* closeCalls(
  tx: Transaction,
  session: SessionRow,
  run: number,
  calls: ReadonlyArray<CallRow>
): Program<void> {
  if (calls.length === 0) return
  yield* answerOvertaken(tx, session, calls)
  yield* tx.run(
    "DELETE FROM calls WHERE session = ? AND seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
    session.ordinal,
    JSON.stringify(calls.map(({ seq }) => seq))
  )
  yield* completeAll(
    tx,
    session,
    calls.map((call) => {
      const message = Batch.closing(call)
      const { display, follows, seq, startedAt } = call
      return { run, seq, follows, startedAt, display, message, body: JSON.stringify(message) }
    })
  )
}

const decodeCall = decoder(Schema.Struct({ ...OpenCall.fields, display: table.columns.display.schema }))

/** Rows that are decoded before other work has a turn. */
const decodedAtOnce = 128

/** Reads calls and results in one statement, so that each place is either a call or a result. */
export const openBatch = (
  query: Query,
  turn: Turn,
  sessionId: SessionId
): Effect.Effect<OpenBatch, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<
      (CallRow & { readonly kind: "call" }) | (EntryRow & { readonly kind: "entry" }) | { readonly kind: null }
    >(
      "read the open batch",
      `SELECT NULL AS kind, NULL AS seq, NULL AS state, NULL AS name, NULL AS "startedAt", NULL AS display,
         NULL AS "index", NULL AS "callId", NULL AS "questionId", NULL AS "runId", CAST(NULL AS BIGINT) AS at, NULL AS body, NULL AS actor
       FROM session_rows WHERE id = ? AND state <> 'hidden'
       UNION ALL
       SELECT 'call', ${callColumns}, NULL, NULL, NULL, NULL FROM calls JOIN session_rows ON session_rows.ordinal = calls.session
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'
       UNION ALL
       SELECT 'entry', messages.seq, NULL, NULL, NULL, NULL, NULL, NULL, NULL, runs.id, messages.at, messages.body,
         messages.actor FROM messages
       JOIN session_rows ON session_rows.ordinal = messages.session AND messages.seq > session_rows.head
       LEFT JOIN runs ON runs.ordinal = messages.run
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'
       ORDER BY seq`,
      sessionId,
      sessionId,
      sessionId
    )
    if (rows.length === 0) return yield* new SessionNotFound({ sessionId })
    const calls: Array<OpenCall> = []
    const stored: Array<Entry> = []
    for (const [index, row] of rows.entries()) {
      if (index > 0 && index % decodedAtOnce === 0) yield* turn
      if (row.kind === "call") calls.push(yield* decodeCall({ sessionId, seq: row.seq }, row))
      if (row.kind === "entry") stored.push(...(yield* decodeEntries(sessionId, [row])))
    }
    return { calls, stored }
  })
