/**
 * The first schema. Rows refer to their session and run by ordinal, a small number. Nothing is stored twice, so that a
 * commit touches few pages: an appended message is one row and one entry of an index.
 *
 * - `messages`: written once, never changed. A place of the open batch has no row before its call has a result.
 *   `follows` is the newest event when the place was reserved, and so never decreases from one place to the next. The
 *   event of a message that was appended immediately has the next cursor and no row of its own.
 * - `calls`: the open batch's calls without a result, small rows that are removed when the result is stored.
 * - `event_rows`: all other events. They refer to rows and copy nothing; results and answers have columns next to their
 *   JSON text for what events show of them. The view `events` has all events of a session.
 * - `session_rows`: a session's own fields. The view `sessions` adds its head, cursor and time. A change without an
 *   event stores its time and the cursor that it followed.
 * - `mark` names the commit. `lanes` has the mark of a lane's newest commit that stored no event.
 */

const usage = `
  steps INTEGER NOT NULL DEFAULT 0,
  unknown_steps INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  cached_input_tokens INTEGER NOT NULL DEFAULT 0`

export const initial: ReadonlyArray<string> = [
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
    follows INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    run INTEGER,
    at INTEGER NOT NULL,
    role TEXT NOT NULL,
    call TEXT,
    name TEXT,
    outcome TEXT,
    body TEXT NOT NULL,
    cursor INTEGER GENERATED ALWAYS AS (CASE WHEN role <> 'tool' OR run IS NULL THEN follows + 1 END),
    UNIQUE (session, seq)
  ) STRICT`,

  `CREATE TABLE calls (
    session INTEGER NOT NULL REFERENCES session_rows,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    follows INTEGER NOT NULL,
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

  `CREATE TABLE event_rows (
    session INTEGER NOT NULL REFERENCES session_rows,
    cursor INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    run INTEGER,
    seq INTEGER,
    ref TEXT,
    PRIMARY KEY (session, cursor)
  ) STRICT, WITHOUT ROWID`,

  `CREATE VIEW events AS
    SELECT session, cursor, at, type, run, seq, ref FROM event_rows
    UNION ALL
    SELECT session, cursor, at, 'message.appended', run, seq, NULL FROM messages WHERE cursor IS NOT NULL`,

  `CREATE VIEW sessions AS SELECT
    own.ordinal, own.id, own.state, own.fence, own.first_cursor, own.steps, own.unknown_steps, own.input_tokens,
    own.output_tokens, own.reasoning_tokens, own.cached_input_tokens, own.created_at, own.named, own.title, own.owner,
    own.workdir, own.model, own.metadata,
    coalesce((SELECT min(seq) - 1 FROM calls WHERE session = own.ordinal), last.seq, 0) AS head,
    max(own.first_cursor - 1, coalesce(told.cursor, 0), coalesce(last.cursor, 0)) AS cursor,
    CASE
      WHEN coalesce(last.cursor, 0) > max(own.changed_cursor, coalesce(told.cursor, 0)) THEN last.at
      WHEN told.cursor > own.changed_cursor THEN told.at
      ELSE own.changed_at
    END AS updated_at
    FROM session_rows AS own
    LEFT JOIN event_rows AS told ON told.session = own.ordinal
      AND told.cursor = (SELECT max(cursor) FROM event_rows WHERE session = own.ordinal)
    LEFT JOIN messages AS last ON last.session = own.ordinal
      AND last.seq = (SELECT max(seq) FROM messages WHERE session = own.ordinal)`,

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
