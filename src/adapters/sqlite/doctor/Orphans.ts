/** Rows that refer to a session whose own row is gone. None of it is thrown away: the session gets a row. */
import type Sqlite from "better-sqlite3"
import { sqlName } from "../../../services/storage/sql/Table.js"
import { sessionRows, tables } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { prepared } from "./Connection.js"
import type { Row } from "./Rows.js"

const owners = tables
  .flatMap(({ name, session }) => (session === null ? [] : [`SELECT ${sqlName(session)} AS owner FROM ${name}`]))
  .join(" UNION ALL ")

interface Orphan {
  readonly ordinal: number
  /** The row that it gets. */
  readonly adoption: Change.Change
}

/** The sessions that are referred to and have no row. */
export const find = (connection: Sqlite.Database): ReadonlyArray<Orphan> =>
  prepared<Row & { readonly ordinal: number }>(
    connection,
    `SELECT owner AS ordinal, 1 + max(
         coalesce((SELECT max(cursor) FROM event_rows WHERE session = owner), 0),
         coalesce((SELECT max(follows) + 1 FROM messages WHERE session = owner), 0)
       ) AS firstCursor, coalesce((SELECT min(at) FROM messages WHERE session = owner), 0) AS createdAt
     FROM (SELECT DISTINCT owner FROM (${owners}) WHERE owner NOT IN (SELECT ordinal FROM session_rows) ORDER BY owner)`
  )
    .all()
    .map(({ ordinal, ...known }) => {
      const unknown = { changedAt: 0, changedCursor: 0, named: 1, title: "Recovered", workdir: "/", metadata: "{}" }
      const values = { id: `recovered-${ordinal}`, ...known, ...unknown }
      return { ordinal, adoption: { table: sessionRows, key: { ordinal }, values, isLoss: true } }
    })
