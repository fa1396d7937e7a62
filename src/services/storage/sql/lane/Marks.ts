/**
 * The statements for marks. A group's mark is in a row that the group added, or next to its lane's name. After a failed
 * COMMIT it shows whether the group is stored.
 */
import type { MarkedRow, MarkedTable } from "./Transaction.js"
import type { Parameter } from "../Database.js"

/** A statement and its parameters. */
type Asked = readonly [text: string, ...parameters: ReadonlyArray<Parameter>]

const inRow: { readonly [Table in MarkedTable]: string } = {
  event_rows: "SELECT 1 FROM event_rows WHERE session = ? AND cursor = ? AND mark = ?",
  messages: "SELECT 1 FROM messages WHERE session = ? AND seq = ? AND mark = ?"
}

/** A mark that its lane has not renewed for this long may be removed. */
const lifeMillis = 24 * 60 * 60 * 1000

/** Finds a mark: there is a row if the mark is stored. `row` is null for a mark next to the lane's name. */
export const find = (lane: string, mark: number, row: MarkedRow | null): Asked =>
  row === null
    ? ["SELECT 1 FROM lanes WHERE id = ? AND mark = ?", lane, mark]
    : [inRow[row.table], row.session, row.number, mark]

/** Removes marks of lanes that are long gone. */
export const removeOld = (now: number): Asked => ["DELETE FROM lanes WHERE at < ?", now - lifeMillis]

/** Stores a mark next to its lane's name. */
export const store = (lane: string, mark: number, now: number): Asked => [
  "INSERT INTO lanes (id, mark, at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, at = excluded.at",
  lane,
  mark,
  now
]
