/**
 * A session's head, its newest cursor and the time of its last change, which the view `sessions` computed from three
 * tables, become columns of its row, because each change of a session writes there anyway. They are computed one last
 * time from what is already stored; an invalid number becomes 0, and a doctor finds it. Sessions are found by their
 * owner, folder and parent, and by their last activity. Each change would write an index of the exact time; the index
 * of the second is written once a second at most. A session names its agent and its placement. Sessions and runs have
 * their cost. A run has the form of the answer that was asked for.
 *
 * Calls have times and a display: open ones in their own rows, finished ones with their results. `finished` is the
 * cursor of a result's `call.finished`; results that are stored already have none.
 *
 * What records a change has its actor: an event, a message that is its own event, and a run, which also names who
 * cancelled it. In messages the column comes after the body, where a null costs nothing to read.
 *
 * The metadata may be long. It becomes the last column, so that reading or changing a number does not pass over it.
 */
export const columns: ReadonlyArray<string> = [
  "ALTER TABLE session_rows ADD COLUMN head INTEGER NOT NULL DEFAULT 0",
  `UPDATE session_rows SET (head, changed_cursor, changed_at) = (
     SELECT CAST(sessions.head AS INTEGER), CAST(sessions.cursor AS INTEGER), CAST(sessions.updated_at AS INTEGER)
     FROM sessions WHERE sessions.ordinal = session_rows.ordinal
   )`,
  "DROP VIEW sessions",
  "ALTER TABLE session_rows RENAME COLUMN changed_cursor TO cursor",
  "ALTER TABLE session_rows RENAME COLUMN changed_at TO updated_at",
  "ALTER TABLE session_rows ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0",
  "UPDATE session_rows SET active_at = updated_at / 1000",

  "ALTER TABLE session_rows ADD COLUMN agent TEXT",
  "ALTER TABLE session_rows ADD COLUMN placement TEXT",
  "ALTER TABLE session_rows ADD COLUMN parent TEXT",
  "CREATE INDEX session_rows_parent ON session_rows (parent) WHERE parent IS NOT NULL",

  "ALTER TABLE session_rows ADD COLUMN cost_micro_usd INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE runs ADD COLUMN cost_micro_usd INTEGER NOT NULL DEFAULT 0",

  "ALTER TABLE session_rows RENAME COLUMN metadata TO first_metadata",
  "ALTER TABLE session_rows ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'",
  "UPDATE session_rows SET metadata = first_metadata",
  "ALTER TABLE session_rows DROP COLUMN first_metadata",

  "ALTER TABLE event_rows ADD COLUMN actor TEXT",
  "ALTER TABLE messages ADD COLUMN actor TEXT",
  "ALTER TABLE runs ADD COLUMN actor TEXT",
  "ALTER TABLE runs ADD COLUMN cancelled_by TEXT",

  "CREATE INDEX session_rows_owner ON session_rows (owner) WHERE owner IS NOT NULL",
  "CREATE INDEX session_rows_workdir ON session_rows (workdir)",
  "CREATE INDEX session_rows_active ON session_rows (active_at)",
  "CREATE INDEX session_rows_owner_active ON session_rows (owner, active_at) WHERE owner IS NOT NULL",

  "ALTER TABLE meta ADD COLUMN deletions INTEGER NOT NULL DEFAULT 0",

  "ALTER TABLE calls ADD COLUMN started_at INTEGER",
  "ALTER TABLE calls ADD COLUMN display TEXT",
  "ALTER TABLE messages ADD COLUMN started_at INTEGER",
  "ALTER TABLE messages ADD COLUMN finished INTEGER",
  "ALTER TABLE messages ADD COLUMN display TEXT",
  "ALTER TABLE questions ADD COLUMN display TEXT",

  "ALTER TABLE runs ADD COLUMN output TEXT"
]
