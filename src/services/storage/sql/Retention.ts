/**
 * Removes old events, session by session, one portion a commit. How far it came is stored, so that any process can
 * continue. Events before a session's first cursor cannot be read any more, so their rows may be removed later. Messages
 * stay: only their events end at the first cursor.
 */
import { Either } from "effect"
import type { Transaction } from "./lane/GroupCommit.js"
import type { Retention } from "../Storage.js"

/** Most sessions that one portion reads, and about the most rows that it removes. */
const portionSessions = 200
const portionRows = 500

interface AgedSession {
  readonly ordinal: number
  readonly first: number
  /** The newest event that may be removed. */
  readonly last: number
}

/**
 * Parameters: keep, before, before, ordinal. Events are removed up to the first that is young enough. The newest event
 * of a session and those of runs that have not ended stay, whatever their age.
 */
const agedSessions = `SELECT ordinal, first_cursor AS first, min(
    cursor - 1,
    coalesce((SELECT min(cursor) FROM runs WHERE session = session_rows.ordinal AND state <> 'ended'), cursor),
    max(
      cursor - ?,
      min(
        coalesce((SELECT cursor - 1 FROM event_rows WHERE session = session_rows.ordinal
          AND cursor >= first_cursor AND at >= ? ORDER BY cursor LIMIT 1), cursor),
        coalesce((SELECT cursor - 1 FROM messages WHERE session = session_rows.ordinal
          AND cursor >= first_cursor AND at >= ? ORDER BY seq LIMIT 1), cursor)
      )
    )
  ) AS last
  FROM session_rows WHERE ordinal > ? AND state <> 'hidden' ORDER BY ordinal LIMIT ${portionSessions}`

/** Returns whether there may be more to remove. */
export const prune = (tx: Transaction, { before, keep, since }: Retention): Either.Either<boolean> => {
  const meta = tx.get<{ readonly prunedAt: number; readonly upTo: number }>(
    "SELECT pruned_at AS prunedAt, pruned_up_to AS upTo FROM meta"
  )
  if (meta === undefined || (meta.upTo === 0 && meta.prunedAt >= since && meta.prunedAt <= tx.now)) {
    return Either.right(false)
  }
  const sessions = tx.all<AgedSession>(agedSessions, keep, before, before, meta.upTo)
  let left = portionRows
  let { upTo } = meta
  for (const session of sessions) {
    if (left <= 0) return goOn(tx, upTo)
    left -= pruneOne(tx, session, left)
    if (left > 0) upTo = session.ordinal
  }
  if (left <= 0 || sessions.length === portionSessions) return goOn(tx, upTo)
  tx.run("UPDATE meta SET pruned_at = ?, pruned_up_to = 0", tx.now)
  return Either.right(false)
}

const goOn = (tx: Transaction, upTo: number): Either.Either<boolean> => {
  tx.run("UPDATE meta SET pruned_up_to = ?", upTo)
  return Either.right(true)
}

/** Removes at most `rows` rows and returns how many. */
const pruneOne = (tx: Transaction, { first, last, ordinal }: AgedSession, rows: number): number => {
  if (last >= first) {
    tx.run("UPDATE session_rows SET first_cursor = ? WHERE ordinal = ?", last + 1, ordinal)
  }
  return tx.run(
    `DELETE FROM event_rows WHERE session = ? AND cursor IN
     (SELECT cursor FROM event_rows WHERE session = ? AND cursor < ? ORDER BY cursor LIMIT ?)`,
    ordinal,
    ordinal,
    Math.max(first, last + 1),
    rows
  )
}
