/**
 * Changes to stored rows as data, and the one way to make them: the row as it was is returned, to be kept aside. A change
 * has no event, so all cursors of its session from before it become too old, and clients load the session again. None of
 * these cursors is ever given out again.
 */
import type Sqlite from "better-sqlite3"
import { sqlName, type Table } from "../../../services/storage/sql/Table.js"
import { prepared } from "./Connection.js"
import * as Rows from "./Rows.js"

export interface Change {
  readonly table: Table
  readonly key: Rows.Row
  /** The new values; a row that is missing is inserted with them. Null removes the row. */
  readonly values: Rows.Row | null
  /** Whether something that was stored is lost by the damage. */
  readonly isLoss: boolean
}

export const update = (table: Table, row: Rows.Row, values: Rows.Row): Change => ({
  table,
  key: Rows.keyOf(table, row),
  values,
  isLoss: false
})

export const remove = (table: Table, row: Rows.Row): Change => ({ ...update(table, row, {}), values: null })

export const loss = (change: Change): Change => ({ ...change, isLoss: true })

const assignments = (values: Rows.Row, separator: string): string =>
  Object.keys(values)
    .map((name) => `${sqlName(name)} = ?`)
    .join(separator)

/** Makes a change and returns the row as it was. */
export const make = (connection: Sqlite.Database, { key, table, values }: Change): Rows.Row | undefined => {
  const stored = Rows.at(connection, table, key)
  const run = (text: string, ...parameters: ReadonlyArray<Rows.Row>) =>
    prepared(connection, text).run(...parameters.flatMap((values) => Object.values(values)))
  const where = `WHERE ${assignments(key, " AND ")}`
  if (values === null) run(`DELETE FROM ${table.name} ${where}`, key)
  else if (stored !== undefined) run(`UPDATE ${table.name} SET ${assignments(values, ", ")} ${where}`, values, key)
  else {
    const all = { ...key, ...values }
    const names = Object.keys(all)
    run(`INSERT INTO ${table.name} (${names.map(sqlName).join(", ")}) VALUES (${names.map(() => "?").join(", ")})`, all)
  }
  return stored
}

/** Makes the cursors of a session begin after all that it ever had, also after those that its last row does not tell. */
export const raiseCursors = (connection: Sqlite.Database, session: number): void =>
  void prepared(
    connection,
    `UPDATE session_rows SET first_cursor = 1 + max(
       (SELECT sessions.cursor FROM sessions WHERE sessions.ordinal = session_rows.ordinal),
       coalesce((SELECT max(messages.cursor) FROM messages WHERE messages.session = session_rows.ordinal), 0)
     ) WHERE ordinal = ?`
  ).run(session)
