/** Transcripts: a message takes the place after the head, and the head moves to it. Rows are written once. */
import { Array, Chunk, Effect, Either, Option, Stream } from "effect"
import * as Limits from "../../domain/Limits.js"
import { Entry, Message } from "../../domain/Message.js"
import { Seq, type SessionId } from "../../domain/Session.js"
import {
  type AppendRefused,
  type InvalidInput,
  RowDamaged,
  type SessionBusy,
  type SessionDeleting,
  SessionNotFound,
  type StorageFailed
} from "../../domain/SkeinError.js"
import * as Transcript from "../../domain/Transcript.js"
import type { Transaction } from "../lane/GroupCommit.js"
import { decodePage, jsonDecoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { addUsage, changeable, type SessionRow, unheld } from "./SessionRow.js"

/** The JSON text of each message, or why one is refused. */
export const checkMessages = (
  messages: ReadonlyArray<Message>,
  limits: Limits.Limits
): Either.Either<ReadonlyArray<string>, InvalidInput> =>
  Either.all(messages.map((message, index) => Limits.json(`messages.${index}`, message, limits.messageBytes)))

export const append = (
  tx: Transaction,
  {
    bodies,
    messages,
    sessionId
  }: {
    readonly sessionId: SessionId
    readonly messages: ReadonlyArray<Message>
    readonly bodies: ReadonlyArray<string>
  }
): Either.Either<ReadonlyArray<Entry>, SessionNotFound | SessionDeleting | SessionBusy | AppendRefused> =>
  changeable(tx, sessionId).pipe(
    Either.flatMap((session) => unheld(tx, session)),
    Either.flatMap((session) => {
      const transcript: Transcript.State = { sessionId, head: session.head, open: Chunk.empty() }
      return Either.map(Transcript.appendAll(transcript, messages), () => session)
    }),
    Either.map((session) => {
      const entries = messages.map((message, index) => {
        const entry: Entry = { seq: nextSeq(session), runId: null, at: tx.now, message }
        appendEntry(tx, session, null, entry, bodies[index] ?? "")
        return entry
      })
      return entries
    })
  )

/** The place after the head. */
export const nextSeq = ({ head }: SessionRow): Seq => Seq.make(head + 1)

/**
 * Stores an entry in the place after the head, moves the head to it and adds its usage. `body` is its JSON text. The
 * message's own row tells of its event.
 */
export const appendEntry = (
  tx: Transaction,
  session: SessionRow,
  run: number | null,
  { message, seq }: Entry,
  body: string
): void => {
  insert(tx, session, { run, seq, follows: session.cursor, message, body })
  session.head = seq
  session.cursor++
  tx.touch(session.id)
  if (message.role === "assistant") addUsage(tx, "session_rows", session.ordinal, message.usage)
}

/** A message on its way into its place. */
export interface Placed {
  /** The run's ordinal; null for what a host appends. */
  readonly run: number | null
  readonly seq: number
  /** The newest event at the time when the place was given out. */
  readonly follows: number
  readonly message: Message
  readonly body: string
}

/** Stores a message in its place, wherever the head is. */
export const insert = (
  tx: Transaction,
  { ordinal }: SessionRow,
  { body, follows, message, run, seq }: Placed
): void => {
  const result = message.role === "tool" ? message : null
  tx.run(
    `INSERT INTO messages (session, seq, follows, mark, run, at, role, call, name, outcome, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ordinal,
    seq,
    follows,
    tx.mark,
    run,
    tx.now,
    message.role,
    result?.callId ?? null,
    result?.name ?? null,
    result?.outcome ?? null,
    body
  )
  tx.recorded("messages", ordinal, seq)
}

const decodeMessage = jsonDecoder(Message)

/** An entry's row: its columns, and the JSON text of its message. */
export interface EntryRow extends Omit<Entry, "message"> {
  readonly body: string
}

export const decodeEntry = (
  sessionId: SessionId,
  { at, body, runId, seq }: EntryRow
): Either.Either<Entry, RowDamaged> =>
  Either.map(decodeMessage({ sessionId, seq }, body), (message) => ({ seq, runId, at, message }))

interface Ahead {
  readonly head: number
}

interface Row extends EntryRow, Ahead {}

/** At most `limit` entries beyond place `after`, up to the head. A place without a row is a damaged row. */
export const entries = (
  query: Query,
  { after, limit, sessionId }: { readonly sessionId: SessionId; readonly after: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<Entry>, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<Row | (Ahead & { readonly seq: null })>(
      "read the transcript",
      `SELECT sessions.head, messages.seq, runs.id AS runId, messages.at, messages.body FROM sessions
       LEFT JOIN messages ON messages.session = sessions.ordinal AND messages.seq > ? AND messages.seq <= sessions.head
       LEFT JOIN runs ON runs.ordinal = messages.run
       WHERE sessions.id = ? AND sessions.state <> 'hidden' ORDER BY messages.seq LIMIT ?`,
      after,
      sessionId,
      Math.max(limit, 1)
    )
    const head = rows[0]?.head
    if (head === undefined) return yield* new SessionNotFound({ sessionId })
    const first = Math.max(after, 0) + 1
    const page = Array.takeWhile(rows, (row, index): row is Row => row.seq === first + index)
    if (page.length === 0 && first <= head) {
      return yield* new RowDamaged({ sessionId, seq: first, detail: "is missing" })
    }
    return yield* decodePage(page.slice(0, limit), (row) => decodeEntry(sessionId, row))
  })

/** Entries that one statement reads for a stream. */
const pageSize = 100

export const stream = (
  query: Query,
  {
    from = 1,
    sessionId,
    to = Number.MAX_SAFE_INTEGER
  }: { readonly sessionId: SessionId; readonly from?: number; readonly to?: number }
): Stream.Stream<Entry, SessionNotFound | StorageFailed | RowDamaged> =>
  Stream.paginateChunkEffect(Math.max(from, 1) - 1, (after) =>
    Effect.map(entries(query, { sessionId, after, limit: Math.min(Math.max(to - after, 0), pageSize) }), (page) => [
      Chunk.unsafeFromArray(page),
      page.length === 0 ? Option.none() : Option.some(after + page.length)
    ])
  )
