/**
 * Copies everything that can be read of a damaged database into a new one, a page at a time. Indexes help with lost rows:
 * they tell the id of a session and the last place of a transcript. The constraints of the new database check what is
 * read. The damaged one is only read.
 */
import type Sqlite from "better-sqlite3"
import { Array, Struct } from "effect"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import { sqlName, type Table } from "../../../services/storage/sql/Table.js"
import { messages, sessionRows, tables } from "../../../services/storage/sql/Tables.js"
import * as Driver from "../Driver.js"
import * as PageRows from "../pages/PageRows.js"
import * as Change from "../../../services/storage/sql/doctor/Change.js"
import { exact, prepared } from "./Connection.js"
import type { SessionTally } from "../../../services/storage/sql/doctor/Finding.js"
import * as Orphans from "../../../services/storage/sql/doctor/Orphans.js"
import * as Rows from "../../../services/storage/sql/doctor/Rows.js"

/** Tables that are not copied: migrations, and rows that engines create again. */
const own = new Set(["migrations", ...tables.filter(({ isTransient }) => isTransient).map(({ name }) => name)])

const idIndex = "sqlite_autoindex_session_rows_1"
const placeIndex = "sqlite_autoindex_messages_1"

/** The key of messages. Its columns exist in the schemas of all versions. */
const messageKeys = { ...messages, columns: Struct.pick(messages.columns, "session", "seq") }

interface Column {
  readonly name: string
  readonly type: string
  readonly pk: number
  readonly isRequired: number
  /** The text of its default. */
  readonly fallback: string | null
}

/** The shapes of the rows in a database's tables. */
const shapesOf = (connection: Sqlite.Database): ReadonlyArray<PageRows.Shape> =>
  prepared<{ readonly name: string; readonly wr: number }>(
    connection,
    "SELECT name, wr FROM pragma_table_list() WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
  )
    .all()
    .map(({ name, wr }) => {
      const columns = prepared<Column>(
        connection,
        'SELECT name, type, pk, "notnull" AS isRequired, dflt_value AS fallback FROM pragma_table_xinfo(?) WHERE hidden = 0'
      ).all(name)
      const hasRowid = wr === 0
      return {
        name,
        hasRowid,
        columns: columns.map(({ name, pk, type }) => ({
          name,
          type,
          isRowid: hasRowid && pk === 1 && type === "INTEGER"
        })),
        leastValues: 1 + columns.findLastIndex(({ fallback, isRequired }) => isRequired === 1 && fallback === null)
      }
    })

/** A row with its damaged values replaced by those that claim the least; null when one of them has none. */
const mended = (name: string, values: Rows.Row): Rows.Row | null => {
  const table = tables.find((table) => table.name === name)
  if (table === undefined) return null
  // A column that exists only in an older schema keeps its value.
  const names = new Map(Object.keys(table.columns).map((name) => [sqlName(name), name]))
  const row: Rows.Row = Object.fromEntries(
    Object.entries(values).map(([column, value]) => [names.get(column) ?? column, exact(value)])
  )
  const damaged = Rows.damaged(table, row).filter((column) => column in row)
  const least = Rows.plain(Rows.least(table, damaged))
  return least === null ? null : { ...row, ...least }
}

const isRefusal = (thrown: unknown): boolean => Driver.isError(thrown) && /CONSTRAINT|MISMATCH/.test(thrown.code)

/** How many messages of each session were kept, and how many places have lost theirs. */
const tallies = (target: Sqlite.Database): ReadonlyArray<SessionTally> =>
  prepared<SessionTally>(
    target,
    `SELECT id, kept, max(0, places - kept - waiting) AS lost FROM (
       SELECT id, count(CASE WHEN body <> '' THEN 1 END) AS kept, coalesce(max(seq), 0) AS places,
         (SELECT count(*) FROM calls WHERE calls.session = ordinal AND calls.seq <= max(messages.seq)) AS waiting
       FROM session_rows LEFT JOIN messages ON messages.session = ordinal GROUP BY ordinal)`
  ).all()

/** How much of a database was copied into a new one. */
export interface SalvageResult {
  readonly sessions: ReadonlyArray<SessionTally>
  /** The ids of sessions that had lost their own row. */
  readonly recovered: ReadonlyArray<string>
  /** How many rows could not be read, plus one for each unreadable page. */
  readonly unread: number
}

/**
 * Copies everything that can be read of the file at `from` into `target`, a database with a schema and without sessions.
 * Returns null when nothing could be read.
 */
export const copy = (from: string, target: Sqlite.Database): SalvageResult | null => {
  const shapes = shapesOf(target)
  const ids = new Map<number, string>()
  const lastPlaces = new Map<number, number>()
  let sequence = 0n
  let kept = 0
  let unread = 0

  const run = ([text, parameters]: Rows.Statement) => prepared(target, text).run(...parameters)

  const has = (table: Table, key: Rows.Row): boolean => {
    const [text, parameters] = Rows.find(table, key)
    return prepared(target, text).get(...parameters) !== undefined
  }

  const store = (name: string, row: Rows.Row): boolean => {
    try {
      run(Change.insert(name, row, name === "meta" ? "INSERT OR REPLACE" : "INSERT"))
      return true
    } catch (thrown) {
      if (isRefusal(thrown)) return false
      throw thrown
    }
  }

  const take = ({ columns, name }: PageRows.Shape, values: ReadonlyArray<Parameter>): boolean => {
    const row = Object.fromEntries(Array.zip(columns, values).map(([{ name }, value]) => [name, value]))
    if (store(name, row)) return true
    const mending = mended(name, row)
    return mending !== null && store(name, mending)
  }

  /** Notes what a row of an index, or of one of SQLite's own tables, tells about lost rows. */
  const note = (name: string, [first, second]: ReadonlyArray<Parameter>): void => {
    if (typeof second !== "bigint") return
    if (name === idIndex && typeof first === "string") ids.set(Number(second), first)
    if (name === "sqlite_sequence" && first === sessionRows.name) sequence = second
    if (name !== placeIndex || typeof first !== "bigint") return
    const session = Number(first)
    lastPlaces.set(session, Math.max(lastPlaces.get(session) ?? 0, Number(second)))
  }

  for (const { name, rows, unread: lost } of PageRows.read(from, shapes)) {
    const shape = shapes.find((shape) => shape.name === name)
    if (own.has(name)) continue
    if (shape === undefined) for (const row of rows) note(name, row)
    else {
      const taken = rows.filter((row) => take(shape, row)).length
      kept += taken
      unread += rows.length - taken + lost
    }
  }
  for (const [session, seq] of lastPlaces) {
    if (has(messageKeys, { session, seq })) continue
    // Its text does not decode, so that the check of the session replaces it with a placeholder.
    store(messages.name, { session, seq, follows: 0, mark: 0, at: 0, role: "", body: "" })
  }
  const isOlder = shapes.every(({ columns }) => columns.every(({ name }) => name !== "head"))
  const recovered = [...ids].flatMap(([ordinal, id]) => {
    if (has(Orphans.sessionKeys, { ordinal })) return []
    run(Change.make(Orphans.adoption(ordinal, id, isOlder), false))
    return [id]
  })
  target.prepare("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?").run(sequence, sessionRows.name)
  const sessions = tallies(target)
  return kept + sessions.length === 0 ? null : { sessions, recovered, unread }
}
