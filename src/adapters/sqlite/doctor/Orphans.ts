/** Rows that refer to a session whose own row is gone. None of it is thrown away: the session gets a row. */
import type Sqlite from "better-sqlite3"
import { sqlName } from "../../../services/storage/sql/Table.js"
import { sessionRows, tables } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { prepared } from "./Connection.js"
import * as Rows from "./Rows.js"

type Row = Rows.Row

const owners = tables
  .flatMap(({ name, session }) => (session === null ? [] : [`SELECT ${sqlName(session)} AS owner FROM ${name}`]))
  .join(" UNION ALL ")

/** The ordinals of sessions that are referred to and have no row; a bigint where one cannot be a number. */
export const ordinals = (connection: Sqlite.Database): ReadonlyArray<Row[string]> =>
  prepared<{ readonly owner: bigint }>(
    connection,
    `SELECT DISTINCT owner FROM (${owners}) WHERE owner NOT IN (SELECT ordinal FROM session_rows) ORDER BY owner`
  )
    .safeIntegers()
    .all()
    .map(({ owner }) => Rows.number(owner))

/** The changes that give rows another session. */
export const moves = (connection: Sqlite.Database, from: Row[string], to: number): ReadonlyArray<Change.Change> =>
  tables.flatMap((table) => {
    const { session } = table
    return session === null || table.name === sessionRows.name
      ? []
      : [...Rows.between(connection, table, from)].map((row) => Change.update(table, row, { [session]: to }))
  })

/** A row for such a session. It gives no cursor out again that one of its rows shows. */
export const adoption = (connection: Sqlite.Database, ordinal: number, id: string): Change.Change => {
  const known = prepared<Row>(
    connection,
    `SELECT 1 + max(
       coalesce((SELECT max(cursor) FROM event_rows WHERE session = ?), 0),
       coalesce((SELECT max(follows) + 1 FROM messages WHERE session = ?), 0)
     ) AS firstCursor, coalesce((SELECT min(at) FROM messages WHERE session = ?), 0) AS createdAt`
  ).get(ordinal, ordinal, ordinal)
  const values = { id, changedAt: 0, changedCursor: 0, named: 1, title: "Recovered", workdir: "/", metadata: "{}" }
  return { table: sessionRows, key: { ordinal }, values: { ...known, ...values }, isLoss: true }
}
