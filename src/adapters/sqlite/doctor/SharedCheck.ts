/**
 * What concerns more than one session: rows whose session is gone, sessions by what names them, and the rows of the whole
 * database. Nothing of a session that has lost its row is thrown away: it gets one, and keeps its name if a folder of
 * assets tells it.
 */
import type Sqlite from "better-sqlite3"
import { Option, Schema, Struct } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Asset } from "../../../domain/Asset.js"
import { SessionId } from "../../../domain/Session.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import * as CursorFloor from "../../../services/storage/sql/CursorFloor.js"
import { table, type Table } from "../../../services/storage/sql/Table.js"
import * as Tables from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { prepared } from "./Connection.js"
import { type Finding, make } from "./Finding.js"
import * as Orphans from "./Orphans.js"
import * as Rows from "./Rows.js"

const { assets, sessionRows } = Tables

/** No session lives long enough for such a number. */
const tooGreat = 2 ** 52

/** The last ordinal that a table gave out, as SQLite keeps it. */
const sequences = table({
  name: "sqlite_sequence",
  key: ["name"],
  session: null,
  hasRowid: true,
  isTransient: false,
  damage: { row: "last ordinal of", remedy: "take that of the newest session" },
  columns: { name: { schema: Schema.String }, seq: { schema: Schema.Int.pipe(Schema.between(0, tooGreat)) } }
})

const namesIn = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const decodeAsset = Schema.decodeUnknownOption(Asset)

/** The session whose folder has a file that only a session with these assets has. */
const ownerOf = (data: string, connection: Sqlite.Database, ordinal: Rows.Row[string]): Option.Option<SessionId> => {
  const files = new Set(
    [...Rows.of(connection, assets, ordinal)].flatMap((row) =>
      Option.match(decodeAsset({ ...row, sessionId: "any" }), {
        onNone: () => [],
        onSome: (asset) => [AssetNames.file(asset)]
      })
    )
  )
  const root = join(data, "assets")
  const folder =
    files.size === 0
      ? undefined
      : namesIn(root).find((name) => namesIn(join(root, name)).some((file) => files.has(file)))
  return Option.flatMap(Option.fromNullable(folder), AssetNames.sessionOf)
}

/** An id that no session has: the one that its files tell, or one that says that it was recovered. */
const idFor = (data: string, connection: Sqlite.Database, ordinal: Rows.Row[string]): string => {
  const isFree = (id: string) => Rows.at(connection, sessionRows, { id }) === undefined
  const known = Option.filter(ownerOf(data, connection, ordinal), isFree)
  if (Option.isSome(known)) return known.value
  let id = `recovered-${Rows.text(ordinal)}`
  for (let number = 2; !isFree(id); number++) id = `recovered-${Rows.text(ordinal)}-${number}`
  return id
}

const greatest = (connection: Sqlite.Database, expression: string): number =>
  prepared<{ readonly greatest: number | null }>(connection, `SELECT max(${expression}) AS greatest`).get()?.greatest ??
  0

const maxBelow = (column: string, from: string): string =>
  `coalesce((SELECT max(${column}) FROM ${from} WHERE ${column} < ${tooGreat}), 0)`

/** A floor of cursors that fits all rows, read when it is needed: it looks at every event. */
const floorAfterAll = (connection: Sqlite.Database): number => greatest(connection, CursorFloor.afterAll)

/** Sessions by what names them. */
export const sessionKeys = { ...sessionRows, columns: Struct.pick(sessionRows.columns, "ordinal", "id") }

const isOrdinal = Schema.is(sessionRows.columns.ordinal.schema)

/** Looks at all of it. `data` is the folder, `path` the database. */
export const check = (data: string, path: string, connection: Sqlite.Database): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const report = (table: Table, row: Rows.Row, detail: string, change: Change.Change) => {
    const ids = { path, table: table.name, row: table.damage.row, id: Rows.nameOf(table, row), detail }
    findings.push(make("shared-row-damaged", ids, [change]))
  }
  const set = (table: Table, row: Rows.Row, detail: string, values: Rows.Row) =>
    report(table, row, detail, Change.update(table, row, values))

  const newest = greatest(connection, maxBelow("ordinal", "session_rows"))
  let orphans = Orphans.ordinals(connection)
  let free = Math.max(newest, ...orphans.filter(isOrdinal)) + 1
  const keys = [...Rows.of(connection, sessionKeys)]
  // Each has the event of its creation, or a newer one.
  const isEmpty = ({ ordinal }: { readonly ordinal: Rows.Row[string] }) =>
    [Tables.eventRows, Tables.messages].every((table) => Rows.of(connection, table, ordinal).next().done === true)
  const lost = keys.filter((key) => !isOrdinal(key.ordinal) || (orphans.length > 0 && isEmpty(key)))
  for (const row of lost) {
    const [ordinal] = lost.length === 1 && orphans.length === 1 ? orphans : [free++]
    if (ordinal === orphans[0]) orphans = []
    set(sessionRows, row, "has another ordinal than its rows", { ordinal: ordinal ?? free++ })
  }
  for (const row of keys) {
    if (Schema.is(SessionId)(row.id)) continue
    set(sessionRows, row, "has an invalid id", { id: idFor(data, connection, row.ordinal) })
  }
  const adoptions = orphans.flatMap((orphan) => {
    const ordinal = isOrdinal(orphan) ? orphan : free++
    const adoption = Orphans.adoption(connection, ordinal, idFor(data, connection, orphan))
    return [adoption, ...(ordinal === orphan ? [] : Orphans.moves(connection, orphan, ordinal))]
  })
  if (orphans.length > 0) {
    findings.push(make("session-rows-missing", { path, ordinals: orphans.map(Number) }, adoptions))
  }

  const { meta, tables } = Tables
  for (const table of tables.filter(({ isTransient, session }) => isTransient && session === null)) {
    for (const row of Rows.of(connection, table)) {
      if (Rows.damaged(table, row).length > 0) report(table, row, "does not decode", Change.remove(table, row))
    }
  }
  const floor = () => ({ cursorFloor: floorAfterAll(connection) })
  const [row] = Rows.of(connection, meta)
  if (row === undefined) {
    report(meta, { id: 1 }, "is missing", { table: meta, key: { id: 1 }, values: floor(), isLoss: true })
  } else {
    const columns = Rows.damaged(meta, row).filter((name) => name !== "cursorFloor")
    const values = { ...Rows.least(meta, columns), ...(CursorFloor.isFloor(row.cursorFloor) ? {} : floor()) }
    if (Object.keys(values).length > 0) set(meta, row, `does not decode at ${Object.keys(values).join(", ")}`, values)
  }
  for (const row of Rows.of(connection, sequences)) {
    if (Rows.damaged(sequences, row).length > 0 && row.name === sessionRows.name) {
      set(sequences, row, "leaves no number for another session", { seq: newest })
    }
  }
  return findings
}
