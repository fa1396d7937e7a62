/**
 * The first schema. Rows refer to their session and run by ordinal, a small number that is never used again.
 *
 * - `session_rows` is what a session has of its own. How far it came is not stored there, so that an append does not
 *   touch it: the newest of its `events` tells, and the view `sessions` shows both together. A change without an event
 *   leaves its time, and the cursor that it followed.
 * - `messages` is written once and never changed; a place of the open batch has no row before its call is completed.
 * - `calls` holds the open batch's calls without a result: small rows that go when the result comes.
 * - `events` refers to what happened and holds none of it. What events show of results and answers, those have as
 *   columns beside their JSON text. `head` is the transcript's last place after the event, `mark` stands for the commit.
 * - `lanes` has the mark of a lane's newest commit that recorded no event.
 */
import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

const usage = `
  steps INTEGER NOT NULL DEFAULT 0,
  unknown_steps INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  cached_input_tokens INTEGER NOT NULL DEFAULT 0`

const statements = [
  `CREATE TABLE lanes (
    id TEXT NOT NULL PRIMARY KEY,
    mark INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cursor_floor INTEGER NOT NULL
  ) STRICT`,
  "INSERT INTO meta (id, cursor_floor) VALUES (1, 0)",

  `CREATE TABLE session_rows (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'deleting', 'hidden')),
    fence INTEGER NOT NULL DEFAULT 0,
    first_cursor INTEGER NOT NULL,
    ${usage},
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_cursor INTEGER NOT NULL,
    named INTEGER NOT NULL,
    title TEXT NOT NULL,
    owner TEXT,
    workdir TEXT NOT NULL,
    model TEXT,
    metadata TEXT NOT NULL
  ) STRICT`,

  `CREATE TABLE runs (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES session_rows,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ended')),
    cursor INTEGER NOT NULL,
    stop_reason TEXT,
    detail TEXT,
    ${usage},
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    idempotency_key TEXT,
    hash TEXT NOT NULL,
    owner TEXT,
    metadata TEXT NOT NULL,
    message TEXT,
    UNIQUE (session, idempotency_key)
  ) STRICT`,
  "CREATE UNIQUE INDEX runs_running ON runs (session) WHERE state = 'running'",
  "CREATE INDEX runs_active ON runs (session) WHERE state <> 'ended'",

  `CREATE TABLE messages (
    session INTEGER NOT NULL REFERENCES session_rows,
    seq INTEGER NOT NULL,
    run INTEGER,
    at INTEGER NOT NULL,
    role TEXT NOT NULL,
    call TEXT,
    name TEXT,
    outcome TEXT,
    body TEXT NOT NULL,
    UNIQUE (session, seq)
  ) STRICT`,

  `CREATE TABLE calls (
    session INTEGER NOT NULL REFERENCES session_rows,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'started')),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    question TEXT,
    PRIMARY KEY (session, seq)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE questions (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES session_rows,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    call TEXT NOT NULL,
    tool TEXT NOT NULL,
    access TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    verdict TEXT,
    answer TEXT,
    input TEXT NOT NULL
  ) STRICT`,
  "CREATE INDEX questions_session ON questions (session)",
  "CREATE INDEX questions_open ON questions (ordinal) WHERE answer IS NULL",

  `CREATE TABLE grants (
    session INTEGER NOT NULL REFERENCES session_rows,
    tool TEXT NOT NULL,
    PRIMARY KEY (session, tool)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE events (
    session INTEGER NOT NULL REFERENCES session_rows,
    cursor INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    run INTEGER,
    seq INTEGER,
    ref TEXT,
    head INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (session, cursor)
  ) STRICT, WITHOUT ROWID`,

  `CREATE VIEW sessions AS SELECT
    own.ordinal, own.id, own.state, own.fence, own.first_cursor, own.steps, own.unknown_steps, own.input_tokens,
    own.output_tokens, own.reasoning_tokens, own.cached_input_tokens, own.created_at, own.named, own.title, own.owner,
    own.workdir, own.model, own.metadata,
    coalesce(newest.head, 0) AS head,
    coalesce(newest.cursor, own.first_cursor - 1) AS cursor,
    CASE WHEN newest.cursor > own.changed_cursor THEN newest.at ELSE own.changed_at END AS updated_at
    FROM session_rows AS own LEFT JOIN events AS newest
    ON newest.session = own.ordinal AND newest.cursor = (SELECT max(cursor) FROM events WHERE session = own.ordinal)`,

  `CREATE TABLE assets (
    ordinal INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session_rows,
    id TEXT NOT NULL,
    name TEXT,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (session, id)
  ) STRICT`
]

export const initial = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
