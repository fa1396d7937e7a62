/**
 * Takes what can be read out of a damaged database into a new one, row by row in the order of their keys. Where a page
 * cannot be read, the key after it is searched for: a stretch of keys is lost, not the table.
 *
 * What is read is checked by the new database's own constraints. The damaged one is only read.
 */
import Sqlite from "better-sqlite3"
import { Option } from "effect"

/** What came over of a table. `gaps` counts stretches of keys that could not be read, `refused` rows that made no sense. */
export interface Saved {
  readonly table: string
  readonly rows: number
  readonly gaps: number
  readonly refused: number
}

/** Rows that no new database needs. */
const transient = new Set(["migrations", "lanes", "engines", "drafts"])

type Row = ReadonlyArray<unknown>
type Read = (from: number) => Row | undefined

/** How many keys after one that cannot be read are tried singly, before the steps grow. */
const singly = 2_000

const attempt = (read: Read, from: number): Option.Option<Row | undefined> => {
  try {
    return Option.some(read(from))
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return Option.none()
    throw thrown
  }
}

/** The first key beyond `from` from which on something can be read; null when there is none. */
const readableAfter = (read: Read, from: number): number | null => {
  for (let key = from + 1; key <= from + singly; key++) if (Option.isSome(attempt(read, key))) return key
  let bad = from + singly
  for (let step = singly; bad + step < Number.MAX_SAFE_INTEGER; step *= 2) {
    let good = bad + step
    if (Option.isNone(attempt(read, good))) {
      bad = good
      continue
    }
    while (good - bad > 1) {
      const middle = bad + Math.floor((good - bad) / 2)
      if (Option.isSome(attempt(read, middle))) good = middle
      else bad = middle
    }
    return good
  }
  return null
}

/** Gives each row at or beyond key 0 to `take`. The key is the first column. Gives how many stretches were left out. */
const readAll = (read: Read, take: (row: Row) => void): number => {
  let gaps = 0
  let from = 0
  while (true) {
    const row = attempt(read, from)
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

const first = ["messages", "session_rows"]

interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<string>
  readonly isKeyed: boolean
  readonly key: ReadonlyArray<string>
}

const tablesOf = (connection: Sqlite.Database): ReadonlyArray<Table> =>
  connection
    .prepare<[], { readonly name: string; readonly wr: number }>(
      "SELECT name, wr FROM pragma_table_list() WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    .all()
    .filter(({ name }) => !transient.has(name))
    .map(({ name, wr }) => {
      const columns = connection
        .prepare<[string], { readonly name: string; readonly hidden: number; readonly pk: number }>(
          "SELECT name, hidden, pk FROM pragma_table_xinfo(?)"
        )
        .all(name)
      return {
        name,
        columns: columns.filter(({ hidden }) => hidden === 0).map(({ name }) => name),
        isKeyed: wr === 0,
        key: columns
          .filter(({ pk }) => pk > 0)
          .toSorted((a, b) => a.pk - b.pk)
          .map(({ name }) => name)
      }
    })
    // Those first whose rows tell which sessions there are.
    .toSorted((a, b) => first.indexOf(b.name) - first.indexOf(a.name))

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")

/** The greatest ordinal that a session may have, as far as the new database tells. */
const lastSession = (target: Sqlite.Database): number =>
  target
    .prepare<[], number>(
      `SELECT max((SELECT coalesce(max(ordinal), 0) FROM session_rows), (SELECT coalesce(max(session), 0) FROM messages))`
    )
    .pluck()
    .get() ?? 0

/** Gives each row of a table that can be read to `take`. Gives how many stretches of keys could not be. */
const readTable = (
  source: Sqlite.Database,
  { columns, isKeyed, key: [session, second], name }: Table,
  sessions: number,
  take: (row: Row) => void
): number => {
  const select = (keyColumn: string, where: string) =>
    source
      .prepare<Array<number>, Row>(
        `SELECT ${keyColumn}, ${quoted(columns)} FROM "${name}" NOT INDEXED WHERE ${where} ORDER BY ${keyColumn} LIMIT 1`
      )
      .raw()
  if (isKeyed) {
    const statement = select("rowid", "rowid >= ?")
    return readAll((from) => statement.get(from), take)
  }
  if (session !== "session" || second === undefined) return 0
  const statement = select(`"${second}"`, `session = ? AND "${second}" >= ?`)
  let gaps = 0
  for (let ordinal = 1; ordinal <= sessions; ordinal++) {
    gaps += readAll((from) => statement.get(ordinal, from), take)
  }
  return gaps
}

/** Tools that were granted have no number for a key: all of a session's, or none. */
const readGrants = (
  source: Sqlite.Database,
  { columns, name }: Table,
  sessions: number,
  take: (row: Row) => void
): number => {
  const statement = source
    .prepare<[number], Row>(`SELECT session, ${quoted(columns)} FROM "${name}" WHERE session = ?`)
    .raw()
  let gaps = 0
  for (let ordinal = 1; ordinal <= sessions; ordinal++) {
    try {
      statement.all(ordinal).forEach(take)
    } catch (thrown) {
      if (!(thrown instanceof Sqlite.SqliteError)) throw thrown
      gaps++
    }
  }
  return gaps
}

const copyTable = (source: Sqlite.Database, target: Sqlite.Database, table: Table): Saved => {
  const { columns, name } = table
  const insert = target.prepare(
    `INSERT OR ${name === "meta" ? "REPLACE" : "ABORT"} INTO "${name}" (${quoted(columns)})
     VALUES (${columns.map(() => "?").join(", ")})`
  )
  let rows = 0
  let refused = 0
  const take = ([, ...values]: Row): void => {
    try {
      insert.run(...values)
      rows++
    } catch (thrown) {
      if (!(thrown instanceof Sqlite.SqliteError) || !/CONSTRAINT|MISMATCH/.test(thrown.code)) throw thrown
      refused++
    }
  }
  const read = name === "grants" ? readGrants : readTable
  try {
    const gaps = read(source, table, lastSession(target), take)
    return { table: name, gaps, rows, refused }
  } catch (thrown) {
    if (!(thrown instanceof Sqlite.SqliteError)) throw thrown
    return { table: name, gaps: 1, rows, refused }
  }
}

/** Copies everything that can be read from `source` into `target`, a database of the newest schema without a session. */
export const copy = (source: Sqlite.Database, target: Sqlite.Database): ReadonlyArray<Saved> => {
  const known = new Map(attemptTables(source).map(({ columns, name }) => [name, new Set(columns)]))
  return tablesOf(target).map((table) => {
    const columns = known.get(table.name)
    return columns === undefined
      ? { table: table.name, rows: 0, gaps: 1, refused: 0 }
      : copyTable(source, target, { ...table, columns: table.columns.filter((column) => columns.has(column)) })
  })
}

/** None when not even the schema can be read. */
const attemptTables = (source: Sqlite.Database): ReadonlyArray<Table> => {
  try {
    return tablesOf(source)
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return []
    throw thrown
  }
}
