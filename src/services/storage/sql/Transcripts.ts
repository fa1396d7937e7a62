/** Transcripts: a message is stored in the place after the head, and the head moves to it. Rows are written once. */
import { Array, Chunk, Effect, Either, Option, Stream } from "effect"
import type { Checked } from "../../../domain/Checked.js"
import { type Entry, Message } from "../../../domain/Message.js"
import * as Place from "../../../domain/Place.js"
import type { Seq, SessionId } from "../../../domain/Session.js"
import {
  type AppendRefused,
  IdempotencyConflict,
  MessageNotFound,
  RowDamaged,
  type SessionBusy,
  type SessionDeleting,
  SessionNotFound,
  type StorageFailed
} from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { Turn } from "../../EventLoop.js"
import type { AppendKey, TranscriptRange } from "../Storage.js"
import { decoder, exactJson } from "./Decoding.js"
import * as LostResults from "./LostResults.js"
import { storeMessage } from "./MessageRow.js"
import type { Query } from "./Query.js"
import { addUsage, appendable, changed, idle, type SessionRow } from "./SessionRow.js"
import { insert, insertion } from "./Table.js"
import { appendKeys, messages } from "./Tables.js"

/** The row of an idempotency key of appended messages. */
export const insertKey = insertion(appendKeys, ["session", "key", "hash", "first", "last"])

export function* append(
  tx: Transaction,
  {
    appendKey,
    messages,
    sessionId
  }: {
    readonly sessionId: SessionId
    readonly messages: ReadonlyArray<Checked<Message>>
    readonly appendKey: AppendKey | undefined
  }
): Program<
  ReadonlyArray<Entry>,
  SessionNotFound | SessionDeleting | RowDamaged | IdempotencyConflict | SessionBusy | AppendRefused
> {
  const session = yield* appendable(tx, sessionId)
  const earlier = appendKey === undefined ? undefined : yield* keyed(tx, session, appendKey.key)
  if (appendKey !== undefined && earlier !== undefined) {
    if (earlier.hash === appendKey.hash) return yield* appendedBefore(tx, session, earlier)
    return yield* Either.left(new IdempotencyConflict({ sessionId, idempotencyKey: appendKey.key, runId: null }))
  }
  if (session.isBusy !== 0) yield* idle(tx, session)
  if (LostResults.mayEnd(session.lastRole)) yield* LostResults.close(tx, session)
  const transcript: Transcript.State = { sessionId, head: session.head, open: Chunk.empty() }
  const values = messages.map(({ value }) => value)
  yield* Transcript.appendAll(transcript, values)
  if (appendKey !== undefined && messages.length > 0) {
    yield* insert(tx, insertKey, {
      ...appendKey,
      session: session.ordinal,
      first: session.head + 1,
      last: session.head + messages.length
    })
  }
  const entries: Array<Entry> = []
  for (const { json, value } of messages) {
    const entry: Entry = { seq: nextSeq(session), runId: null, actor: tx.actor, at: tx.now, message: value }
    yield* appendEntry(tx, session, null, entry, json)
    entries.push(entry)
  }
  return entries
}

interface AppendedRange {
  readonly hash: string
  readonly first: number
  readonly last: number
}

/** The places of the messages that were appended under a key. */
const keyed = (tx: Transaction, { ordinal }: SessionRow, key: string): Statement<AppendedRange | undefined> =>
  tx.get<AppendedRange>("SELECT hash, first, last FROM append_keys WHERE session = ? AND key = ?", ordinal, key)

function* appendedBefore(
  tx: Transaction,
  { id, ordinal }: SessionRow,
  { first, last }: AppendedRange
): Program<ReadonlyArray<Entry>, RowDamaged> {
  return yield* decodeEntries(
    id,
    yield* tx.all<EntryRow>(
      `SELECT seq, NULL AS "runId", actor, at, body FROM messages WHERE session = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
      ordinal,
      first,
      last
    )
  )
}

/** The place after the head. */
export const nextSeq = ({ head }: SessionRow): Seq => Place.after(head)

/**
 * Stores an entry in the place after the head, moves the head to it and adds its usage. `body` is its JSON text. Its
 * event has no row of its own: it is read from the row of the message.
 */
export function* appendEntry(
  tx: Transaction,
  session: SessionRow,
  run: number | null,
  { actor, message, seq }: Entry,
  body: string,
  startedAt?: number
): Program<void> {
  yield* storeMessage(tx, session, {
    run,
    seq,
    follows: session.cursor,
    actor,
    message,
    body,
    startedAt: startedAt ?? null
  })
  session.head = seq
  session.cursor++
  changed(tx, session)
  if (message.role === "assistant") addUsage(session, message.usage)
}

const exactMessage = exactJson(Message)
const decodeMessage = decoder(messages.columns.body.schema)

/** The row of an entry, with the JSON text of its message. */
export interface EntryRow extends Omit<Entry, "message"> {
  readonly body: string
}

/** Decodes a page of entries, up to the first that is damaged. */
export const decodeEntries = (
  sessionId: SessionId,
  rows: Iterable<EntryRow>
): Either.Either<ReadonlyArray<Entry>, RowDamaged> => {
  const entries: Array<Entry> = []
  for (const { actor, at, body, runId, seq } of rows) {
    let message = exactMessage(body)
    if (message === undefined) {
      const decoded = decodeMessage({ sessionId, seq }, body)
      if (Either.isLeft(decoded)) return entries.length === 0 ? Either.left(decoded.left) : Either.right(entries)
      message = decoded.right
    }
    entries.push({ seq, runId, actor, at, message })
  }
  return Either.right(entries)
}

interface Range {
  readonly sessionId: SessionId
  readonly after: number
  readonly limit: number
}

interface Page {
  readonly entries: ReadonlyArray<Entry>
  /** The number of characters in the JSON texts of the entries. */
  readonly characters: number
  /** Whether the last of them is at the head. */
  readonly isLast: boolean
}

/**
 * How much of a stream one statement reads: about this many characters, at most this many bytes, unless the first entry
 * alone has more, and at most this many entries.
 */
const portion = { characters: 1024 * 1024, bytes: 1.5 * 1024 * 1024, entries: 1000 }

/**
 * Characters that are read before other work has a turn: a short transcript, or the end of one, is returned
 * immediately.
 */
const little = 64 * 1024

const sizes = `FROM messages WHERE session = (SELECT ordinal FROM session_rows WHERE id = ?) AND seq BETWEEN ? AND ?`

/**
 * Parameters: place, place, session, then twice: session, place, place, bytes. Where the messages of the page together
 * have more bytes, it ends before the one that exceeds them, but has at least the first. The sizes of messages are
 * known without reading them.
 */
const pageStatement = `SELECT messages.seq, (SELECT id FROM runs WHERE ordinal = messages.run) AS "runId", messages.at,
     messages.body, messages.actor, session_rows.head
   FROM session_rows JOIN messages ON messages.session = session_rows.ordinal
     AND messages.seq BETWEEN ? AND min(session_rows.head, ?)
   WHERE session_rows.id = ? AND session_rows.state <> 'hidden' ORDER BY messages.seq
   LIMIT CASE WHEN (SELECT sum(octet_length(body)) ${sizes}) > ? THEN
     (SELECT max(count(*), 1) FROM (SELECT sum(octet_length(body)) OVER (ORDER BY seq) AS bytes ${sizes}) AS sized
       WHERE bytes <= ?) ELSE ${portion.entries} END`

const readPage = (
  query: Query,
  { after, limit, sessionId }: Range
): Effect.Effect<Page, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const first = Math.max(after, 0) + 1
    const last = first + limit - 1
    const mayHave = [sessionId, first, last, portion.bytes]
    const rows = yield* query<EntryRow & { readonly head: number }>(
      "read the transcript",
      pageStatement,
      first,
      last,
      sessionId,
      ...mayHave,
      ...mayHave
    )
    const page = Array.takeWhile(rows, ({ seq }, index) => seq === first + index)
    if (page.length > 0) {
      const entries = yield* decodeEntries(sessionId, page)
      const characters = page.reduce((sum, { body }) => sum + body.length, 0)
      return { entries, characters, isLast: entries.at(-1)?.seq === rows[0]?.head }
    }
    const [session] = yield* query<{ readonly head: number; readonly isThere: number }>(
      "read the transcript",
      `SELECT head, CAST(EXISTS (
         SELECT 1 FROM messages WHERE messages.session = session_rows.ordinal AND messages.seq = ?) AS INTEGER) AS "isThere"
       FROM session_rows WHERE id = ? AND state <> 'hidden'`,
      first,
      sessionId
    )
    if (session === undefined) return yield* new SessionNotFound({ sessionId })
    if (session.head >= first && session.isThere === 0) {
      return yield* new RowDamaged({ sessionId, seq: first, detail: "is missing" })
    }
    return { entries: [], characters: 0, isLast: true }
  })

/** The entry at a place; beyond the head, a result that waits there. */
export const entry = (
  query: Query,
  { seq, sessionId }: { readonly sessionId: SessionId; readonly seq: Seq }
): Effect.Effect<Entry, SessionNotFound | MessageNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const [row] = yield* query<EntryRow | { readonly seq: null; readonly head: number }>(
      "read the message",
      `SELECT messages.seq, runs.id AS "runId", messages.at, messages.body, messages.actor, session_rows.head FROM session_rows
       LEFT JOIN messages ON messages.session = session_rows.ordinal AND messages.seq = ?
       LEFT JOIN runs ON runs.ordinal = messages.run
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`,
      seq,
      sessionId
    )
    if (row === undefined) return yield* new SessionNotFound({ sessionId })
    if (row.seq !== null) {
      const [found] = yield* decodeEntries(sessionId, [row])
      if (found !== undefined) return found
    } else if (seq <= row.head) return yield* new RowDamaged({ sessionId, seq, detail: "is missing" })
    return yield* new MessageNotFound({ sessionId, seq })
  })

/** The number of entries in a portion if they are as long as those of the last page. */
const nextLimit = ({ characters, entries }: Page): number =>
  Math.min(portion.entries, Math.max(1, Math.floor((portion.characters * entries.length) / Math.max(characters, 1))))

export const stream = (
  query: Query,
  turn: Turn,
  { from = 1, sessionId, to = Number.MAX_SAFE_INTEGER }: TranscriptRange
): Stream.Stream<Entry, SessionNotFound | StorageFailed | RowDamaged> =>
  Stream.paginateChunkEffect({ after: Math.max(from, 1) - 1, size: 50, held: 0 }, ({ after, held, size }) =>
    // Timers and sockets have their turn once more than a little was read.
    Effect.zipRight(
      held > little ? turn : Effect.void,
      readPage(query, { sessionId, after, limit: Math.min(Math.max(to - after, 0), size) })
    ).pipe(
      Effect.map((page) => {
        const next = {
          after: after + page.entries.length,
          size: nextLimit(page),
          held: (held > little ? 0 : held) + page.characters
        }
        return [
          Chunk.unsafeFromArray(page.entries),
          page.isLast || next.after >= to ? Option.none() : Option.some(next)
        ]
      })
    )
  )
