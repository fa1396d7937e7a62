/** Rows that refer to a session whose own row is gone. None of it is thrown away: the session gets a row. */
import type Sqlite from "better-sqlite3"
import { type Repaired, repaired } from "./Finding.js"

/** The tables whose rows refer to a session. */
const tablesOf = (connection: Sqlite.Database): ReadonlyArray<string> =>
  connection
    .prepare<[], string>(
      `SELECT DISTINCT tables.name FROM pragma_table_list() AS tables JOIN pragma_foreign_key_list(tables.name) AS keys
       WHERE tables.type = 'table' AND keys."table" = 'session_rows' AND keys."from" = 'session'`
    )
    .pluck()
    .all()

/** The ordinals of the sessions that are referred to and have no row. */
export const orphans = (connection: Sqlite.Database): ReadonlyArray<number> =>
  connection
    .prepare<[], number>(
      `SELECT DISTINCT session FROM (${tablesOf(connection)
        .map((table) => `SELECT session FROM "${table}"`)
        .join(" UNION ALL ")}) WHERE session NOT IN (SELECT ordinal FROM session_rows) ORDER BY session`
    )
    .pluck()
    .all()

/** Gives each of them a row of its own. */
export const adopt = (connection: Sqlite.Database): Repaired => {
  const insert = connection.prepare<[number, string]>(
    `INSERT INTO session_rows
       (ordinal, id, first_cursor, created_at, changed_at, changed_cursor, named, title, workdir, metadata)
     SELECT column1, column2, 1 + max(
         coalesce((SELECT max(cursor) FROM event_rows WHERE session = column1), 0),
         coalesce((SELECT max(follows) + 1 FROM messages WHERE session = column1), 0)
       ), coalesce((SELECT min(at) FROM messages WHERE session = column1), 0), 0, 0, 1, 'Recovered', '/', '{}'
     FROM (VALUES (?, ?))`
  )
  const ordinals = orphans(connection)
  const recovered = ordinals.map((ordinal) => `recovered-${ordinal}`)
  connection
    .transaction(() => ordinals.forEach((ordinal, index) => insert.run(ordinal, recovered[index] ?? "")))
    .immediate()
  return repaired({ recovered, rows: [{ table: "session_rows", kept: 0, lost: ordinals.length, gaps: 0 }] })
}
