/** Rows that refer to a session whose own row is gone: nothing of it is thrown away, it gets a row. */
import type Sqlite from "better-sqlite3"
import type { Repair } from "./Finding.js"

/** The tables whose rows refer to a session. */
const tablesOf = (connection: Sqlite.Database): ReadonlyArray<string> =>
  connection
    .prepare<[], string>(
      `SELECT DISTINCT tables.name FROM pragma_table_list() AS tables JOIN pragma_foreign_key_list(tables.name) AS keys
       WHERE tables.type = 'table' AND keys."table" = 'session_rows' AND keys."from" = 'session'`
    )
    .pluck()
    .all()

/** The ordinals of the sessions that are referred to and are not there. */
export const orphans = (connection: Sqlite.Database): ReadonlyArray<number> => {
  const found = new Set<number>()
  for (const table of tablesOf(connection)) {
    const missing = connection
      .prepare<[], number>(
        `SELECT DISTINCT session FROM "${table}" WHERE session NOT IN (SELECT ordinal FROM session_rows)`
      )
      .pluck()
      .all()
    for (const session of missing) found.add(session)
  }
  return [...found].toSorted((a, b) => a - b)
}

/** Gives each of them a row of its own. */
export const adopt: Repair = ({ connection }) => {
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
  const ids = ordinals.map((ordinal) => `recovered-${ordinal}`)
  connection.transaction(() => ordinals.forEach((ordinal, index) => insert.run(ordinal, ids[index] ?? ""))).immediate()
  return `now ${ids.join(", ")}`
}
