/** Rows that refer to a session whose own row is gone. None of it is thrown away: the session gets a row. */
import type Sqlite from "better-sqlite3"
import { Struct } from "effect"
import { sqlName } from "../../../services/storage/sql/Table.js"
import { sessionRows, tables } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { prepared } from "./Connection.js"
import * as Rows from "./Rows.js"

type Row = Rows.Row

/** Sessions by what names them: these columns are in the schemas of all versions. */
export const sessionKeys = { ...sessionRows, columns: Struct.pick(sessionRows.columns, "ordinal", "id") }

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

/** Whether a database was made by a schema in which a session's row does not say where the session is. */
const isOlder = (connection: Sqlite.Database): boolean =>
  prepared(connection, "SELECT 1 FROM pragma_table_info('session_rows') WHERE name = 'head'").get() === undefined

/** A row for such a session, in a database of any version. It gives no cursor out again that one of its rows shows. */
export const adoption = (connection: Sqlite.Database, ordinal: number, id: string): Change.Change => {
  const {
    createdAt = 0,
    cursor = 0,
    head = 0
  } = prepared<Row>(
    connection,
    `SELECT max(
           ${Change.cursorOf("lost.session")},
           coalesce((SELECT max(follows) + 1 FROM messages WHERE messages.session = lost.session), 0)
         ) AS cursor,
         ${Change.headOf("lost.session")} AS head,
         coalesce((SELECT min(at) FROM messages WHERE messages.session = lost.session), 0) AS createdAt
       FROM (SELECT ? AS session) AS lost`
  ).get(ordinal) ?? {}
  const position = isOlder(connection) ? { changedAt: 0, changedCursor: 0 } : { updatedAt: 0, cursor, head }
  const own = { id, createdAt, named: 1, title: "Recovered", workdir: "/", metadata: "{}" }
  const values = { ...own, ...position, firstCursor: Number(cursor) + 1 }
  return { table: sessionKeys, key: { ordinal }, values, isLoss: true }
}
