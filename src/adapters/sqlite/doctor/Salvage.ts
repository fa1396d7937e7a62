/**
 * Takes what can be read out of a damaged database into a new one, row by row in the order of their keys. Where a page
 * cannot be read, the key after it is searched for: a stretch of keys is lost, not the table.
 *
 * What is read is checked by the new database's own constraints. The damaged one is only read.
 */
import Sqlite from "better-sqlite3"
import { Option } from "effect"
import { tables } from "../../../services/storage/sql/Tables.js"
import type { Tally } from "./Finding.js"

/** Tables that a new database fills by itself. */
const transient = new Set(["migrations", ...tables.filter(({ isTransient }) => isTransient).map(({ name }) => name)])

type Row = ReadonlyArray<unknown>
type Read = (from: number) => Row | undefined

/** How many keys after one that cannot be read are tried singly, before the steps grow. */
const singly = 2_000

const readAt = (read: Read, from: number): Option.Option<Row | undefined> => {
  try {
    return Option.some(read(from))
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return Option.none()
    throw thrown
  }
}

/** The first key beyond `from` from which on something can be read; null when there is none. */
const readableAfter = (read: Read, from: number): number | null => {
  for (let key = from + 1; key <= from + singly; key++) if (Option.isSome(readAt(read, key))) return key
  let bad = from + singly
  for (let step = singly; bad + step < Number.MAX_SAFE_INTEGER; step *= 2) {
    let good = bad + step
    if (Option.isNone(readAt(read, good))) {
      bad = good
      continue
    }
    while (good - bad > 1) {
      const middle = bad + Math.floor((good - bad) / 2)
      if (Option.isSome(readAt(read, middle))) good = middle
      else bad = middle
    }
    return good
  }
  return null
}

/** Passes each row at or beyond key 0 to `take`. The key is the first column. Returns how many stretches were left out. */
const readAll = (read: Read, take: (row: Row) => void): number => {
  let gaps = 0
  let from = 0
  while (true) {
    const row = readAt(read, from)
    if (Option.isNone(row)) {
      gaps++
      const next = readableAfter(read, from)
      if (next === null) return gaps
      from = next
      continue
    }
    if (row.value === undefined) return gaps
    const [key] = row.value
    // A damaged page may give keys out of order.
    if (typeof key !== "number" || key < from) {
      from++
      continue
    }
    take(row.value)
    from = key + 1
  }
}

/** These first: their rows tell which sessions there are. */
const first = ["messages", "session_rows"]

interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<string>
  /** Null when rows have a number of their own, else the columns of the key. */
  readonly key: ReadonlyArray<{ readonly name: string; readonly type: string }> | null
}

const tablesOf = (connection: Sqlite.Database): ReadonlyArray<Table> => {
  const columnsOf = connection.prepare<
    [string],
    { readonly name: string; readonly type: string; readonly hidden: number; readonly pk: number }
  >("SELECT name, type, hidden, pk FROM pragma_table_xinfo(?) ORDER BY pk")
  return connection
    .prepare<[], { readonly name: string; readonly wr: number }>(
      "SELECT name, wr FROM pragma_table_list() WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    .all()
    .filter(({ name }) => !transient.has(name))
    .map(({ name, wr }) => {
      const columns = columnsOf.all(name)
      return {
        name,
        columns: columns.filter(({ hidden }) => hidden === 0).map(({ name }) => name),
        key: wr === 0 ? null : columns.filter(({ pk }) => pk > 0)
      }
    })
    .toSorted((a, b) => first.indexOf(b.name) - first.indexOf(a.name))
}

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")

/** The greatest ordinal that a session may have, as far as the new database tells. */
const lastSession = (target: Sqlite.Database): number =>
  target
    .prepare<[], number>(
      "SELECT max((SELECT coalesce(max(ordinal), 0) FROM session_rows), (SELECT coalesce(max(session), 0) FROM messages))"
    )
    .pluck()
    .get() ?? 0

/** Passes each row of a table that can be read to `take`. Returns how many stretches of keys could not be read. */
const readTable = (source: Sqlite.Database, table: Table, sessions: number, take: (row: Row) => void): number => {
  const { columns, key, name } = table
  const select = (keyColumn: string, where: string) =>
    source
      .prepare<Array<number>, Row>(
        `SELECT ${keyColumn}, ${quoted(columns)} FROM "${name}" NOT INDEXED WHERE ${where} ORDER BY ${keyColumn}`
      )
      .raw()
  if (key === null) {
    const statement = select("rowid", "rowid >= ?")
    return readAll((from) => statement.get(from), take)
  }
  const second = key[1]
  if (key[0]?.name !== "session" || second === undefined) return 0
  const column = `"${second.name}"`
  const [all, next] = [select(column, "session = ?"), select(column, `session = ? AND ${column} >= ?`)]
  let gaps = 0
  for (let ordinal = 1; ordinal <= sessions; ordinal++) {
    if (second.type === "INTEGER") gaps += readAll((from) => next.get(ordinal, from), take)
    else gaps += attempt(() => all.all(ordinal).forEach(take)) ? 0 : 1
  }
  return gaps
}

/** Whether it could be read. */
const attempt = (read: () => void): boolean => {
  try {
    read()
    return true
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return false
    throw thrown
  }
}

const copyTable = (source: Sqlite.Database, target: Sqlite.Database, table: Table): Tally => {
  const { columns, name } = table
  const insert = target.prepare(
    `INSERT OR ${name === "meta" ? "REPLACE" : "ABORT"} INTO "${name}" (${quoted(columns)})
     VALUES (${columns.map(() => "?").join(", ")})`
  )
  let kept = 0
  let lost = 0
  let gaps = 0
  const take = ([, ...values]: Row): void => {
    try {
      insert.run(...values)
      kept++
    } catch (thrown) {
      if (!(thrown instanceof Sqlite.SqliteError) || !/CONSTRAINT|MISMATCH/.test(thrown.code)) throw thrown
      lost++
    }
  }
  const isRead = attempt(() => {
    gaps = readTable(source, table, lastSession(target), take)
  })
  return { table: name, kept, lost, gaps: isRead ? gaps : 1 }
}

/** Copies everything that can be read from `source` into `target`, a database of the newest schema without a session. */
export const copy = (source: Sqlite.Database, target: Sqlite.Database): ReadonlyArray<Tally> => {
  const known = new Map<string, ReadonlyArray<string>>()
  // Nothing is known when not even the schema can be read.
  attempt(() => tablesOf(source).forEach(({ columns, name }) => known.set(name, columns)))
  return tablesOf(target).map((table) => {
    const columns = known.get(table.name)
    return columns === undefined
      ? { table: table.name, kept: 0, lost: 0, gaps: 1 }
      : copyTable(source, target, { ...table, columns: table.columns.filter((column) => columns.includes(column)) })
  })
}
