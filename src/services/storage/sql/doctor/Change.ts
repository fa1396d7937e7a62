/**
 * Changes to stored rows, as data and as SQL. A change records no event, so every earlier cursor of its session becomes
 * too old, and clients load the session again. None of those cursors is ever issued again.
 */
import { sqlName, type Table } from "../Table.js"
import * as Rows from "./Rows.js"

export interface Change {
  readonly table: Table
  readonly key: Rows.Row
  /** The new values. A missing row is inserted with them. Null removes the row. */
  readonly values: Rows.Values | null
  /** Whether the damage has lost something that was stored. */
  readonly isLoss: boolean
}

export const update = (table: Table, row: Rows.Row, values: Rows.Values): Change => ({
  table,
  key: Rows.keyOf(table, row),
  values,
  isLoss: false
})

export const remove = (table: Table, row: Rows.Row): Change => ({ ...update(table, row, {}), values: null })

export const loss = (change: Change): Change => ({ ...change, isLoss: true })

/** Inserts a row into the table with this name. */
export const insert = (table: string, row: Rows.Values, verb = "INSERT"): Rows.Statement => [
  `${verb} INTO ${table} (${Object.keys(row).map(sqlName).join(", ")}) VALUES (${Object.values(row).map(Rows.sqlOf).join(", ")})`,
  Rows.parametersOf(row)
]

/** The statement that makes a change. `isStored` says whether the row exists. */
export const make = ({ key, table, values }: Change, isStored: boolean): Rows.Statement => {
  if (values === null) return [`DELETE FROM ${table.name} WHERE ${Rows.equal(key)}`, Rows.parametersOf(key)]
  if (!isStored) return insert(table.name, { ...key, ...values })
  return [
    `UPDATE ${table.name} SET ${Rows.equal(values, ", ")} WHERE ${Rows.equal(key)}`,
    [...Rows.parametersOf(values), ...Rows.parametersOf(key)]
  ]
}

/** The head of a session according to its rows. */
export const headOf = (session: string): string => `coalesce(
  (SELECT min(calls.seq) - 1 FROM calls WHERE calls.session = ${session}),
  (SELECT max(messages.seq) FROM messages WHERE messages.session = ${session}), 0)`

/** The newest cursor in the rows of a session, or 0. */
export const cursorOf = (session: string): string => `max(
  coalesce((SELECT max(event_rows.cursor) FROM event_rows WHERE event_rows.session = ${session}), 0),
  coalesce((SELECT max(messages.cursor) FROM messages WHERE messages.session = ${session}), 0))`

/**
 * Sets a session's head from its rows, and makes its cursors start after every cursor that it ever had. The newest one is
 * skipped, so that a client that has seen all events learns of the repair too.
 */
export const settle: ReadonlyArray<string> = [
  `UPDATE session_rows SET head = ${headOf("session_rows.ordinal")},
    cursor = max(max(cursor, first_cursor - 1), ${cursorOf("session_rows.ordinal")}) + 1 WHERE ordinal = ?`,
  "UPDATE session_rows SET first_cursor = cursor + 1 WHERE ordinal = ?"
]
