/**
 * The number after which a new session's cursors begin: past those of every session that was ever forgotten, because
 * the new session may have the same id. A floor that is missing or invalid is computed again from all rows.
 */
import type { Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"

/** Far from the end of exact numbers, so that a session has room above it. */
export const highest = 2 ** 52

const newest = (column: string, table: string): string =>
  `SELECT max(${column}) AS cursor FROM ${table} WHERE ${column} BETWEEN 0 AND ${highest}`

/** An expression for a floor past everything that rows show. */
export const afterAll = `(SELECT 1 + coalesce(max(cursor), 0) FROM (
  ${newest("cursor", "event_rows")} UNION ALL ${newest("cursor", "messages")}
  UNION ALL ${newest("first_cursor", "session_rows")} UNION ALL ${newest("cursor", "session_rows")}) AS all_cursors)`

/** Makes sure that there is a floor. Without damage it reads one row and changes nothing. */
export const ensure = (tx: Transaction): Statement<number> =>
  tx.run(
    `INSERT INTO meta (id, cursor_floor) SELECT 1, ${afterAll}
     WHERE NOT EXISTS (SELECT 1 FROM meta WHERE cursor_floor BETWEEN 0 AND ${highest})
     ON CONFLICT (id) DO UPDATE SET cursor_floor = excluded.cursor_floor`
  )
