/**
 * Changes to stored rows as data, and the one way to make them: the row as it was is returned, to be kept aside. A change
 * has no event, so all cursors of its session from before it become too old, and clients load the session again. None of
 * these cursors is ever given out again.
 */
import type Sqlite from "better-sqlite3"
import type { Table } from "../../../services/storage/sql/Table.js"
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

/** Makes a change and returns the row as it was. */
export const make = (connection: Sqlite.Database, { key, table, values }: Change): Rows.Row | undefined => {
  const stored = Rows.at(connection, table, key)
  const run = (text: string, ...rows: ReadonlyArray<Rows.Row>) =>
    prepared(connection, `${text} WHERE ${Rows.equal(Object.keys(key))}`).run(
      ...[...rows, key].flatMap((row) => Object.values(row))
    )
  if (values === null) run(`DELETE FROM ${table.name}`)
  else if (stored === undefined) Rows.insert(connection, table.name, { ...key, ...values })
  else run(`UPDATE ${table.name} SET ${Rows.equal(Object.keys(values), ", ")}`, values)
  return stored
}

/** Where the rows of a session say that its head is. */
export const headOf = (session: string): string => `coalesce(
  (SELECT min(calls.seq) - 1 FROM calls WHERE calls.session = ${session}),
  (SELECT max(messages.seq) FROM messages WHERE messages.session = ${session}), 0)`

/** The newest cursor that the rows of a session show; 0 when they show none. */
export const cursorOf = (session: string): string => `max(
  coalesce((SELECT max(event_rows.cursor) FROM event_rows WHERE event_rows.session = ${session}), 0),
  coalesce((SELECT max(messages.cursor) FROM messages WHERE messages.session = ${session}), 0))`

/** Puts a session's head where its rows say, and makes its cursors begin after all that it ever had. */
export const settle = (connection: Sqlite.Database, session: number): void => {
  const run = (change: string) =>
    void prepared(connection, `UPDATE session_rows SET ${change} WHERE ordinal = ?`).run(session)
  run(`head = ${headOf("session_rows.ordinal")},
    cursor = max(cursor, first_cursor - 1, ${cursorOf("session_rows.ordinal")})`)
  run("first_cursor = cursor + 1")
}
