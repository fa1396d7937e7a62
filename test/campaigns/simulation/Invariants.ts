/** What must be true of the rows after every commit. */
import type { Sql } from "../../../src/services/storage/sql/Database.js"

/** Each query finds the ids of what breaks its promise. */
const queries: ReadonlyArray<readonly [promise: string, query: string]> = [
  [
    "P1: a place up to the head is missing",
    `SELECT id FROM session_rows AS s WHERE state <> 'hidden'
     AND head <> (SELECT count(*) FROM messages WHERE session = s.ordinal AND seq BETWEEN 1 AND s.head)`
  ],
  [
    "P1: a session's head or cursor differs from what its other rows say",
    `SELECT id FROM session_rows AS s WHERE state <> 'hidden' AND (
       head <> coalesce((SELECT min(seq) - 1 FROM calls WHERE session = s.ordinal),
         (SELECT max(seq) FROM messages WHERE session = s.ordinal), 0)
       OR cursor <> (SELECT max(cursor) FROM events WHERE session = s.ordinal))`
  ],
  [
    "P1: a call without a result is at or before the head",
    "SELECT s.id FROM session_rows AS s JOIN calls AS c ON c.session = s.ordinal WHERE s.state <> 'hidden' AND c.seq <= s.head"
  ],
  [
    "P1: an open call has a result",
    "SELECT c.id FROM calls AS c JOIN messages AS m ON m.session = c.session AND m.seq = c.seq"
  ],
  [
    "P4: a call is open although no run is running",
    "SELECT id FROM calls AS c WHERE NOT EXISTS (SELECT 1 FROM runs WHERE session = c.session AND state = 'running')"
  ],
  [
    "P5: a run's message is stored twice",
    "SELECT run AS id FROM messages WHERE role = 'user' AND run IS NOT NULL GROUP BY run HAVING count(*) > 1"
  ],
  [
    "P5: two keys stand for the same place, or one for a place after the head",
    `SELECT a.key AS id FROM append_keys AS a JOIN session_rows AS s ON s.ordinal = a.session
     WHERE s.state <> 'hidden' AND (a.last > s.head OR EXISTS
       (SELECT 1 FROM append_keys WHERE session = a.session AND key <> a.key AND first <= a.last AND last >= a.first))`
  ],
  [
    "P9: a released run has an engine, or a run that is not released has none",
    "SELECT id FROM runs WHERE state = 'running' AND (released_at IS NULL) <> (engine IS NOT NULL)"
  ],
  [
    "P10: an event is missing",
    `SELECT id FROM session_rows AS s WHERE state <> 'hidden'
     AND cursor - first_cursor + 1 <> (SELECT count(*) FROM events WHERE session = s.ordinal AND cursor >= s.first_cursor)`
  ]
]

/** Returns what is broken, or null. */
export const breach = (sql: Sql): string | null => {
  for (const [promise, query] of queries) {
    const row = sql.get<{ readonly id: string }>(query)
    if (row !== undefined) return `${promise} (${row.id})`
  }
  return null
}
