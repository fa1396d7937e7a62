/**
 * What processes share: engines' signs of life, requests to cancel a run, drafts of running steps, and how far old
 * events are removed. An engine's row counts its signs of life; `clock` and `at` are the time of the newest on its
 * host's clock.
 */

export const leases: ReadonlyArray<string> = [
  `CREATE TABLE engines (
    instance TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    clock TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,

  "ALTER TABLE runs ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0",

  `CREATE TABLE drafts (
    session INTEGER PRIMARY KEY REFERENCES session_rows,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT`,

  "CREATE INDEX session_rows_going ON session_rows (state) WHERE state <> 'live'",

  "ALTER TABLE meta ADD COLUMN pruned_at INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE meta ADD COLUMN pruned_up_to INTEGER NOT NULL DEFAULT 0"
]
