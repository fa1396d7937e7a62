/**
 * The number of a new session's row: one past those of all sessions that ever existed. SQLite keeps the last one in a
 * sequence. Once that sequence, or a row, is at the end of numbers, no session could be created any more: so counting
 * then continues from the newest session with a sensible number.
 */
import type { Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"

/** Far from the end of exact numbers. */
const highest = 2 ** 52

/** An expression for the newest session's number. */
export const newest = `(SELECT coalesce(max(ordinal), 0) FROM session_rows WHERE ordinal <= ${highest})`

/** An expression for the number of the next session. */
export const next = `(SELECT 1 + max(${newest},
  coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'session_rows'), 0)))`

/** Restarts an invalid sequence. */
export const restart = `UPDATE sqlite_sequence SET seq = ${newest}
   WHERE name = 'session_rows' AND (typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND ${highest})`

/** Makes sure that the sequence is valid. Without damage it reads one row and changes nothing. */
export const ensure = (tx: Transaction): Statement<number> => tx.run(restart)
