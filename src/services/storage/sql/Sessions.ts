/** A session's own fields: creates, renames, changes and finds sessions. */
import { Effect, Either, Schema } from "effect"
import type { Json, JsonRecord } from "../../../domain/Json.js"
import * as Limits from "../../../domain/Limits.js"
import { Cursor, Session, type SessionId } from "../../../domain/Session.js"
import {
  type InvalidInput,
  RowDamaged,
  type SessionDeleting,
  SessionExists,
  SessionNotFound,
  type StorageFailed
} from "../../../domain/SkeinError.js"
import * as Program from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { NewSession, SessionPatch } from "../Storage.js"
import * as CursorFloor from "./CursorFloor.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import * as SessionOrdinal from "./SessionOrdinal.js"
import { changeable, changed, record, secondOf, type SessionRow, visible } from "./SessionRow.js"
import { select, type StoredRow } from "./Table.js"
import { sessionRows, usageNames } from "./Tables.js"

type ChangeRefusal = InvalidInput | SessionNotFound | SessionDeleting | RowDamaged

const { metadata, model, named, workdir } = sessionRows.columns

const decodeStored = decoder(
  Schema.Struct({
    ...Session.fields,
    named: named.schema,
    workdir: workdir.schema,
    model: model.schema,
    metadata: metadata.schema
  })
)
const decodeMetadata = decoder(metadata.schema)
const decodeCursor = decoder(Cursor)

/** What is read of each session, except for its metadata, which may be long. */
export const names = [
  "ordinal",
  "id",
  "title",
  "named",
  "owner",
  "workdir",
  "placement",
  "parent",
  "agent",
  "model",
  "createdAt",
  "updatedAt",
  "head",
  "cursor",
  ...usageNames
] as const

export type Row = StoredRow<typeof sessionRows, (typeof names)[number] | "metadata">

/** What lists always read of each session: not its metadata, which may be long. */
export const listedColumns = select(sessionRows, names)
const columns = `${listedColumns}, session_rows.metadata`

export const decode = (row: Row): Either.Either<Session, RowDamaged> =>
  decodeStored({ sessionId: row.id, seq: null }, { ...row, usage: row })

function* rowOf(tx: Transaction, { id, ordinal }: SessionRow): Program.Program<Row, RowDamaged> {
  return yield* Either.fromNullable(
    yield* tx.get<Row>(`SELECT ${columns} FROM session_rows WHERE ordinal = ?`, ordinal),
    () => missing(id)
  )
}

/** A session that this write has changed, as it will be stored. */
function* reread(tx: Transaction, session: SessionRow): Program.Program<Session, RowDamaged> {
  const row = yield* rowOf(tx, session)
  return yield* decode({ ...row, cursor: session.cursor, head: session.head, updatedAt: tx.now })
}

const missing = (sessionId: SessionId): RowDamaged => new RowDamaged({ sessionId, seq: null, detail: "is missing" })

/** `title` is the checked title, or the title of a session that nobody has named. */
export function* create(
  tx: Transaction,
  { agent, id, metadata, model, owner, parent, placement, title: named, workdir }: NewSession,
  title: string
): Program.Program<Session, SessionExists | RowDamaged> {
  if ((yield* tx.get("SELECT 1 FROM session_rows WHERE id = ?", id)) !== undefined) {
    return yield* Either.left(new SessionExists({ sessionId: id }))
  }
  yield* CursorFloor.ensure(tx)
  yield* SessionOrdinal.ensure(tx)
  yield* tx.run(
    `INSERT INTO session_rows
     (ordinal, id, first_cursor, created_at, updated_at, active_at, cursor, named, title, owner, workdir, placement, parent, agent, model, metadata)
     SELECT ${SessionOrdinal.next}, ?, cursor_floor + 1, ?, ?, ?, cursor_floor, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM meta`,
    id,
    tx.now,
    tx.now,
    secondOf(tx.now),
    named === null ? 0 : 1,
    title,
    owner,
    workdir ?? "",
    placement,
    parent,
    agent,
    model === null ? null : JSON.stringify(model),
    metadata.json
  )
  const session = yield* Program.mapRefusal(visible(tx, id), () => missing(id))
  yield* record(tx, session, "session.created")
  return yield* reread(tx, session)
}

/** The statement that stores a change of one field, and the event that announces it. */
interface FieldChange {
  readonly statement: string
  readonly event: "session.renamed" | "session.model" | "session.agent" | "session.moved"
}

const changes = {
  title: { statement: "UPDATE session_rows SET title = ?, named = 1 WHERE ordinal = ?", event: "session.renamed" },
  model: { statement: "UPDATE session_rows SET model = ? WHERE ordinal = ?", event: "session.model" },
  agent: { statement: "UPDATE session_rows SET agent = ? WHERE ordinal = ?", event: "session.agent" },
  workdir: { statement: "UPDATE session_rows SET workdir = ? WHERE ordinal = ?", event: "session.moved" }
} as const satisfies Record<string, FieldChange>

/** Merges in the transaction, so that two patches of different fields both take effect. */
function* mergeMetadata(
  tx: Transaction,
  limits: Limits.Limits,
  session: SessionRow,
  patch: JsonRecord
): Program.Program<void, InvalidInput | RowDamaged> {
  const row = yield* tx.get<{ readonly metadata: string }>(
    "SELECT metadata FROM session_rows WHERE ordinal = ?",
    session.ordinal
  )
  const stored = yield* decodeMetadata({ sessionId: session.id, seq: null }, row?.metadata)
  const merged = new Map<string, Json>([...Object.entries(stored), ...Object.entries(patch)])
  const metadata = Object.fromEntries([...merged].filter(([field]) => patch[field] !== null))
  const text = yield* Limits.json("metadata", metadata, limits.metadataBytes)
  yield* tx.run("UPDATE session_rows SET metadata = ? WHERE ordinal = ?", text, session.ordinal)
  changed(tx, session)
}

const isEmpty = (patch: SessionPatch): boolean => Object.values(patch).every((value) => value === undefined)

/** The title of `patch` is checked already. */
export function* patch(
  tx: Transaction,
  limits: Limits.Limits,
  { patch, sessionId }: { readonly sessionId: SessionId; readonly patch: SessionPatch }
): Program.Program<Session, ChangeRefusal> {
  const { agent, metadata, model, title, workdir } = patch
  const session = yield* changeable(tx, sessionId)
  const change = function* ({ event, statement }: FieldChange, value: string | null): Program.Program<void> {
    yield* tx.run(statement, value, session.ordinal)
    yield* record(tx, session, event)
  }
  if (metadata !== undefined) yield* mergeMetadata(tx, limits, session, metadata)
  if (title !== undefined) yield* change(changes.title, title)
  if (model !== undefined) yield* change(changes.model, model === null ? null : JSON.stringify(model))
  if (agent !== undefined) yield* change(changes.agent, agent)
  if (workdir !== undefined) yield* change(changes.workdir, workdir ?? "")
  return isEmpty(patch) ? yield* decode(yield* rowOf(tx, session)) : yield* reread(tx, session)
}

export const find = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Session, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<Row>("read the session", `SELECT ${columns} FROM session_rows WHERE id = ? AND state <> 'hidden'`, sessionId),
    ([row]) =>
      Either.flatMap(
        Either.fromNullable(row, () => new SessionNotFound({ sessionId })),
        decode
      )
  )

export const oldestCursor = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Cursor, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<StoredRow<typeof sessionRows, "firstCursor">>(
      "read the oldest cursor",
      `SELECT ${select(sessionRows, ["firstCursor"])} FROM session_rows WHERE id = ? AND state <> 'hidden'`,
      sessionId
    ),
    ([row]) =>
      Either.flatMap(
        Either.fromNullable(row, () => new SessionNotFound({ sessionId })),
        ({ firstCursor }) => decodeCursor({ sessionId, seq: null }, firstCursor)
      )
  )
