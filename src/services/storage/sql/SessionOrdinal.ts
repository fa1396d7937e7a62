/**
 * The number of a new session's row: one after that of every session there ever was. SQLite keeps the last in a sequence.
 * Where that, or a row, has come to the end of numbers, no session could be created any more: it is then counted on from
 * the newest session with a number that makes sense.
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

/** Restarts a sequence that is none. */
export const restart = `UPDATE sqlite_sequence SET seq = ${newest}
   WHERE name = 'session_rows' AND (typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND ${highest})`

/** Makes sure that the sequence is one. Without damage it reads one row and changes nothing. */
export const ensure = (tx: Transaction): Statement<number> => tx.run(restart)
