/**
 * What new engines need to know about those that left: when a run was released, how often it was taken over without
 * making progress (`domain/Takeover`), which run went on with it, for how long an engine holds its leases and when it
 * was last seen. `append_keys` has the places that the messages of an idempotency key got.
 */

export const recovery: ReadonlyArray<string> = [
  "ALTER TABLE runs ADD COLUMN released_at INTEGER",
  "ALTER TABLE runs ADD COLUMN takeovers INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE runs ADD COLUMN takeover_head INTEGER NOT NULL DEFAULT -1",
  "ALTER TABLE runs ADD COLUMN resumed_by INTEGER",

  "ALTER TABLE engines ADD COLUMN lease_millis INTEGER NOT NULL DEFAULT 15000",
  "ALTER TABLE engines ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0",

  `CREATE TABLE append_keys (
    session INTEGER NOT NULL REFERENCES session_rows,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) STRICT, WITHOUT ROWID`
]
