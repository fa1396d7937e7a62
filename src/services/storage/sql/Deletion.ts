/**
 * A session's deletion, one commit for each step: it begins, hides the session, removes its rows in bounded portions,
 * and removes the session's own row. One number remains, which it may have raised: where the cursors of new sessions
 * begin, so that none of its cursors is used again.
 */
import { Effect, Either } from "effect"
import type { Owner, SessionId } from "../../../domain/Session.js"
import { type SessionBusy, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import * as CursorFloor from "./CursorFloor.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { type SessionRow, unheld, visible } from "./SessionRow.js"
import { sqlName } from "./Table.js"
import { messages, sessionRows, tables } from "./Tables.js"

export function* begin(tx: Transaction, sessionId: SessionId): Program<void, SessionNotFound> {
  const session = yield* visible(tx, sessionId)
  if (session.state === "live") {
    yield* setState(tx, session, "deleting")
    tx.touch(sessionId)
  }
  tx.requestStop()
}

export function* hide(tx: Transaction, sessionId: SessionId): Program<void, SessionNotFound | SessionBusy> {
  const session = yield* visible(tx, sessionId)
  if (session.state !== "deleting") return yield* Either.left(new SessionNotFound({ sessionId }))
  yield* unheld(tx, session)
  yield* setState(tx, session, "hidden")
  yield* CursorFloor.ensure(tx)
  yield* tx.run("UPDATE meta SET deletions = deletions + 1")
  tx.gone({ sessionId, owner: yield* ownerOf(tx, session) })
}

const decodeOwner = decoder(sessionRows.columns.owner.schema)

function* ownerOf(tx: Transaction, { id, ordinal }: SessionRow): Program<Owner | null> {
  const row = yield* tx.get<{ readonly owner: string | null }>(
    "SELECT owner FROM session_rows WHERE ordinal = ?",
    ordinal
  )
  return Either.getOrElse(decodeOwner({ sessionId: id, seq: null }, row?.owner ?? null), () => null)
}

const setState = (tx: Transaction, session: SessionRow, state: SessionRow["state"]): Statement<number> =>
  tx.run("UPDATE session_rows SET state = ? WHERE ordinal = ?", state, session.ordinal)

/** The most rows, and about the most bytes of messages, that one portion removes. */
const portionRows = 500
const portionBytes = 1024 * 1024

const ofSessions = tables.filter(({ name, session }) => session !== null && name !== sessionRows.name)

/** Parameters: session, session, number of rows. Messages are removed in portions of their own. */
const removals = ofSessions
  .filter(({ name }) => name !== messages.name)
  .map(({ key, name }) => {
    // Within a session the last column of the key is unique.
    const column = sqlName(key.at(-1) ?? "")
    return `DELETE FROM ${name} WHERE session = ? AND ${column} IN
      (SELECT portion.${column} FROM ${name} AS portion WHERE portion.session = ? LIMIT ?)`
  })

const looks = ofSessions.map(({ name }) => `SELECT 1 FROM ${name} WHERE session = ?`)

/** Returns how many rows it has removed. */
export function* purge(tx: Transaction, sessionId: SessionId): Program<number> {
  const session = yield* hidden(tx, sessionId)
  if (session === undefined) return 0
  // A session that was being imported no longer counts as such, because not all of it is there.
  yield* tx.run("UPDATE session_rows SET cursor = first_cursor WHERE ordinal = ? AND cursor < first_cursor", session)
  let removed = yield* purgeMessages(tx, session)
  for (const removal of removals) {
    if (removed >= portionRows) break
    removed += yield* tx.run(removal, session, session, portionRows - removed)
  }
  yield* tx.releaseSpace()
  return removed
}

/** Removes the first messages, at least one, and returns how many. Their sizes are known without reading them. */
function* purgeMessages(tx: Transaction, session: number): Program<number> {
  const sizes = yield* tx.all<{ readonly seq: number; readonly bytes: number }>(
    "SELECT seq, octet_length(body) AS bytes FROM messages WHERE session = ? ORDER BY seq LIMIT ?",
    session,
    portionRows
  )
  let bytes = 0
  const beyond = sizes.find((row) => (bytes += row.bytes) > portionBytes)
  const last = beyond ?? sizes.at(-1)
  return last === undefined
    ? 0
    : yield* tx.run("DELETE FROM messages WHERE session = ? AND seq <= ?", session, last.seq)
}

export function* forget(tx: Transaction, sessionId: SessionId): Program<void> {
  const session = yield* hidden(tx, sessionId)
  if (session === undefined || (yield* hasRows(tx, session))) return
  yield* CursorFloor.ensure(tx)
  yield* tx.run(
    "UPDATE meta SET cursor_floor = max(cursor_floor, (SELECT cursor + 1 FROM session_rows WHERE ordinal = ?))",
    session
  )
  yield* tx.run("DELETE FROM session_rows WHERE ordinal = ?", session)
  tx.touch(sessionId)
}

/** The ordinal of a hidden session. */
function* hidden(tx: Transaction, sessionId: SessionId): Program<number | undefined> {
  const row = yield* tx.get<{ readonly ordinal: number }>(
    "SELECT ordinal FROM session_rows WHERE id = ? AND state = 'hidden'",
    sessionId
  )
  return row?.ordinal
}

function* hasRows(tx: Transaction, session: number): Program<boolean> {
  for (const look of looks) if ((yield* tx.get(look, session)) !== undefined) return true
  return false
}

const counts = ofSessions
  .map(({ name }) => `(SELECT count(*) FROM ${name} WHERE session = session_rows.ordinal)`)
  .join(" + ")

export const storedRows = (query: Query, sessionId: SessionId): Effect.Effect<number, StorageFailed> =>
  Effect.map(
    query<{ readonly rows: number }>(
      "count the session's rows",
      `SELECT ${counts} AS rows FROM session_rows WHERE id = ?`,
      sessionId
    ),
    ([counted]) => counted?.rows ?? 0
  )

export const deleting = (
  query: Query
): Effect.Effect<ReadonlyArray<{ readonly sessionId: SessionId; readonly hidden: boolean }>, StorageFailed> =>
  Effect.map(
    query<{ readonly sessionId: SessionId; readonly state: string }>(
      "read the deletions",
      // Without the `+` SQLite reads all sessions in order instead of finding the few by their index.
      `SELECT id AS "sessionId", state FROM session_rows WHERE state <> 'live' ORDER BY +ordinal`
    ),
    (rows) => rows.map(({ sessionId, state }) => ({ sessionId, hidden: state === "hidden" }))
  )
