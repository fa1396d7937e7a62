/** What is true of the rows after every commit. */
import type { Sql } from "../../../src/services/storage/sql/Database.js"

/** Each finds the sessions in which something is broken. */
const queries: ReadonlyArray<readonly [promise: string, query: string]> = [
  [
    "P1: a place up to the head is missing",
    `SELECT id FROM sessions AS s WHERE state <> 'hidden'
     AND head <> (SELECT count(*) FROM messages WHERE session = s.ordinal AND seq BETWEEN 1 AND s.head)`
  ],
  [
    "P1: a call without a result stands before the head",
    "SELECT s.id FROM sessions AS s JOIN calls AS c ON c.session = s.ordinal WHERE s.state <> 'hidden' AND c.seq <= s.head"
  ],
  [
    "P1: a call has a result and is open",
    "SELECT c.id FROM calls AS c JOIN messages AS m ON m.session = c.session AND m.seq = c.seq"
  ],
  [
    "P4: no run, and a call is open",
    "SELECT id FROM calls AS c WHERE NOT EXISTS (SELECT 1 FROM runs WHERE session = c.session AND state = 'running')"
  ],
  [
    "P10: an event is missing",
    `SELECT id FROM sessions AS s WHERE state <> 'hidden'
     AND cursor - first_cursor + 1 <> (SELECT count(*) FROM events WHERE session = s.ordinal AND cursor >= s.first_cursor)`
  ]
]

/** What is broken, if anything is. */
export const breach = (sql: Sql): string | null => {
  for (const [promise, query] of queries) {
    const row = sql.get<{ readonly id: string }>(query)
    if (row !== undefined) return `${promise} (${row.id})`
  }
  return null
}
