/**
 * The number after which a new session's cursors begin: past those of every session that was ever forgotten, as the new
 * one may have its id. A floor that is lost or no cursor is made of what all rows show.
 */
import type { Transaction } from "./lane/GroupCommit.js"

/** Far from the end of exact numbers, so that a session has room above it. */
const highest = 2 ** 52

const newestCursor = `SELECT max(cursor) FROM (
  SELECT max(cursor) AS cursor FROM event_rows WHERE cursor BETWEEN 0 AND ${highest}
  UNION ALL SELECT max(cursor) FROM messages WHERE cursor BETWEEN 0 AND ${highest}
  UNION ALL SELECT max(first_cursor) FROM session_rows WHERE first_cursor BETWEEN 0 AND ${highest}
  UNION ALL SELECT 0)`

/** Makes sure that there is a floor. Without damage it reads one row and changes nothing. */
export const ensure = (tx: Transaction): void => {
  tx.run(
    `INSERT INTO meta (id, cursor_floor) SELECT 1, (${newestCursor}) + 1
     WHERE NOT EXISTS (SELECT 1 FROM meta WHERE cursor_floor BETWEEN 0 AND ${highest})
     ON CONFLICT (id) DO UPDATE SET cursor_floor = excluded.cursor_floor`
  )
}
