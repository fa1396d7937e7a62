/** Transcripts: a message takes the place after the head, and the head moves to it. Rows are written once. */
import { Chunk, Effect, Either, Option, Schema, Stream } from "effect"
import * as Limits from "../../domain/Limits.js"
import { Entry, Message } from "../../domain/Message.js"
import { Seq, type SessionId } from "../../domain/Session.js"
import {
  type AppendRefused,
  type InvalidInput,
  RowDamaged,
  SessionBusy,
  type SessionDeleting,
  SessionNotFound,
  type StorageFailed
} from "../../domain/SkeinError.js"
import * as Transcript from "../../domain/Transcript.js"
import type { Transaction } from "../lane/GroupCommit.js"
import { decoder, pageDecoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { addUsage, changeable, record, type SessionRow, store } from "./SessionRow.js"

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
  Either.gen(function* () {
    const session = yield* changeable(tx, sessionId)
    const holder = tx.get<{ readonly id: string }>(
      "SELECT id FROM runs WHERE session = ? AND state = 'running'",
      session.ordinal
    )
    if (holder !== undefined) return yield* Either.left(new SessionBusy({ sessionId, runId: holder.id }))
    yield* Transcript.appendAll({ sessionId, head: session.head, open: Chunk.empty() }, messages)
    const entries = messages.map((message, index) => {
      const entry: Entry = { seq: nextSeq(session), runId: null, at: tx.now, message }
      appendEntry(tx, session, null, entry, bodies[index] ?? "")
      return entry
    })
    if (entries.length > 0) store(tx, session)
    return entries
  })

/** The place after the head. */
export const nextSeq = ({ head }: SessionRow): Seq => Seq.make(head + 1)

/** Stores an entry in the place after the head, moves the head to it and adds its usage. `body` is its JSON text. */
export const appendEntry = (
  tx: Transaction,
  session: SessionRow,
  run: number | null,
  { message, seq }: Entry,
  body: string
): void => {
  insert(tx, session, run, seq, message, body)
  session.head = seq
  record(tx, session, "message.appended", { run, seq })
  if (message.role === "assistant") addUsage(tx, "sessions", session.ordinal, message.usage)
}

/** Stores a message in its place, wherever the head is. */
export const insert = (
  tx: Transaction,
  { ordinal }: SessionRow,
  run: number | null,
  seq: number,
  message: Message,
  body: string
): void => {
  const result = message.role === "tool" ? message : null
  tx.run(
    "INSERT INTO messages (session, seq, run, at, role, call, name, outcome, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ordinal,
    seq,
    run,
    tx.now,
    message.role,
    result?.callId ?? null,
    result?.name ?? null,
    result?.outcome ?? null,
    body
  )
}

const StoredEntry = Schema.Struct({ ...Entry.fields, message: Schema.parseJson(Message) })
const decodePage = pageDecoder(StoredEntry)
const decodeOne = decoder(StoredEntry)

/** A message's row as it is decoded. */
export interface EntryRow {
  readonly seq: number
  readonly runId: string | null
  readonly at: number
  readonly message: string
}

export const decodeEntry = (sessionId: SessionId, row: EntryRow): Either.Either<Entry, RowDamaged> =>
  decodeOne({ sessionId, seq: row.seq }, row)

/** At most `limit` entries beyond place `after`, up to the head. A place without a row is a damaged row. */
export const entries = (
  query: Query,
  { after, limit, sessionId }: { readonly sessionId: SessionId; readonly after: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<Entry>, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<(EntryRow | { readonly seq: null }) & { readonly head: number }>(
      "read the transcript",
      `SELECT sessions.head, messages.seq, runs.id AS runId, messages.at, messages.body AS message FROM sessions
       LEFT JOIN messages ON messages.session = sessions.ordinal AND messages.seq > ? AND messages.seq <= sessions.head
       LEFT JOIN runs ON runs.ordinal = messages.run
       WHERE sessions.id = ? AND sessions.state <> 'hidden' ORDER BY messages.seq LIMIT ?`,
      after,
      sessionId,
      Math.max(limit, 1)
    )
    const head = rows[0]?.head
    if (head === undefined) return yield* new SessionNotFound({ sessionId })
    const present = rows.filter((row) => row.seq !== null)
    const first = Math.max(after, 0) + 1
    const gap = [...present, { seq: null }].findIndex(({ seq }, index) => seq !== first + index)
    if (gap === 0 && first <= head) {
      return yield* new RowDamaged({ sessionId, seq: first, detail: "is missing" })
    }
    return yield* decodePage(present.slice(0, Math.min(gap, limit)), ({ seq }) => ({ sessionId, seq }))
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
