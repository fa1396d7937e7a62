/**
 * What concerns more than one session: rows whose session is gone, sessions by what names them, and the rows of the whole
 * database. Nothing of a session that has lost its row is thrown away: it gets one, and keeps its name if a folder of
 * assets tells it.
 */
import type Sqlite from "better-sqlite3"
import { Option, Schema } from "effect"
import { join } from "node:path"
import { SessionId } from "../../../domain/Session.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import * as CursorFloor from "../../../services/storage/sql/CursorFloor.js"
import { table, type Table } from "../../../services/storage/sql/Table.js"
import * as Tables from "../../../services/storage/sql/Tables.js"
import * as AssetFile from "./AssetFile.js"
import { type OpenDatabase, prepared } from "./Connection.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Orphans from "./Orphans.js"
import * as Judging from "./Judging.js"
import * as Rows from "./Rows.js"

const { assets, meta, sessionRows, tables } = Tables

type Ordinal = Rows.Row[string]

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

const isId = Schema.is(SessionId)
const isOrdinal = Schema.is(sessionRows.columns.ordinal.schema)

/** The sessions that can be looked at: those whose names are valid. */
export const sessionsIn = function* (connection: Sqlite.Database): Generator<SessionKey> {
  for (const { id, ordinal } of Rows.all(connection, Orphans.sessionKeys)) {
    if (isId(id) && isOrdinal(ordinal)) yield { id, ordinal }
  }
}

/** The session whose folder has a file that only a session with these assets has. */
const sessionOfFiles = ({ connection, data }: OpenDatabase, ordinal: Ordinal): Option.Option<SessionId> => {
  const rows = Rows.between(connection, assets, ordinal)
  const files = new Set(AssetFile.decoded("any", rows).map(AssetNames.file))
  const root = AssetFile.rootOf(data)
  const folders = files.size === 0 ? [] : AssetFile.namesIn(root)
  return Option.fromNullable(
    folders.find((name) => AssetFile.namesIn(join(root, name)).some((file) => files.has(file)))
  ).pipe(Option.flatMap(AssetNames.sessionOf))
}

const isFree = ({ connection }: OpenDatabase, id: string): boolean =>
  Rows.at(connection, sessionRows, { id }) === undefined

/** An id that no session has: the one that its files tell, or one that says that it was recovered. */
const idFor = (database: OpenDatabase, ordinal: Ordinal): string => {
  const known = Option.filter(sessionOfFiles(database, ordinal), (id) => isFree(database, id))
  if (Option.isSome(known)) return known.value
  let id = `recovered-${Rows.text(ordinal)}`
  for (let number = 2; !isFree(database, id); number++) id = `recovered-${Rows.text(ordinal)}-${number}`
  return id
}

/** Sessions with valid ids whose files are all in the folder of an id that no session has. */
const misnamed = (database: OpenDatabase): ReadonlyArray<readonly [SessionKey, SessionId]> => {
  const folders = new Set(AssetFile.namesIn(AssetFile.rootOf(database.data)))
  const withAssets = prepared<SessionKey>(
    database.connection,
    "SELECT ordinal, id FROM session_rows WHERE state = 'live' AND ordinal IN (SELECT session FROM assets)"
  ).all()
  return withAssets.flatMap((session) => {
    if (!isId(session.id) || folders.has(AssetNames.folder(session.id))) return []
    const named = Option.getOrNull(sessionOfFiles(database, session.ordinal))
    return named === null || !isFree(database, named) ? [] : [[session, named] as const]
  })
}

const greatest = (connection: Sqlite.Database, expression: string): number =>
  prepared<{ readonly greatest: number | null }>(connection, `SELECT max(${expression}) AS greatest`).get()?.greatest ??
  0

/** Looks at all of it. */
export const check = (database: OpenDatabase): ReadonlyArray<Finding> => {
  const { connection, path } = database
  const findings: Array<Finding> = []
  const set = (table: Table, row: Rows.Row, detail: string, values: Rows.Row | null) =>
    void findings.push(...Judging.report({ path }, table, row, { detail, values }))

  const newest = greatest(
    connection,
    `coalesce((SELECT max(ordinal) FROM session_rows WHERE ordinal < ${tooGreat}), 0)`
  )
  let orphans = Orphans.ordinals(connection)
  let free = Math.max(newest, ...orphans.filter(isOrdinal)) + 1
  const damaged = [...Rows.all(connection, Orphans.sessionKeys)].filter(
    ({ id, ordinal }) => !isId(id) || !isOrdinal(ordinal) || orphans.length > 0
  )
  // Each has the event of its creation, or a newer one.
  const isEmpty = (ordinal: Ordinal) =>
    [Tables.eventRows, Tables.messages].every((table) => Rows.between(connection, table, ordinal).next().done === true)
  const lost = damaged.filter(({ ordinal }) => !isOrdinal(ordinal) || (orphans.length > 0 && isEmpty(ordinal)))
  for (const row of lost) {
    const [ordinal] = lost.length === 1 && orphans.length === 1 ? orphans : [free++]
    if (ordinal === orphans[0]) orphans = []
    set(sessionRows, row, "has another ordinal than its rows", { ordinal: ordinal ?? free++ })
  }
  for (const row of damaged) {
    if (!isId(row.id)) set(sessionRows, row, "has an invalid id", { id: idFor(database, row.ordinal) })
  }
  for (const [row, id] of misnamed(database)) {
    set(sessionRows, { ...row }, `has its files under the id ${id}`, { id })
  }
  const adoptions = orphans.flatMap((orphan) => {
    const ordinal = isOrdinal(orphan) ? orphan : free++
    const adoption = Orphans.adoption(connection, ordinal, idFor(database, orphan))
    return [adoption, ...(ordinal === orphan ? [] : Orphans.moves(connection, orphan, ordinal))]
  })
  if (orphans.length > 0) {
    findings.push(make("session-rows-missing", { path, ordinals: orphans.map(Number) }, adoptions))
  }

  const judged = <T extends Table>(table: T, rule?: Judging.Rule<T>) =>
    Judging.rows(connection, { path }, table, Rows.all(connection, table), rule)
  for (const table of tables) if (table.isTransient && table.session === null) findings.push(...judged(table))
  // Read when it is needed: it looks at every event.
  const floor = () => ({ cursorFloor: greatest(connection, CursorFloor.afterAll) })
  findings.push(...judged(meta, { known: (_, damaged) => (damaged.includes("cursorFloor") ? floor() : {}) }))
  if (Rows.all(connection, meta).next().done === true) {
    const damage = { detail: "is missing", values: floor(), isLoss: true }
    findings.push(...Judging.report({ path }, meta, { id: 1 }, damage))
  }
  const sequence = Rows.at(connection, sequences, { name: sessionRows.name })
  if (sequence !== undefined && Rows.damaged(sequences, sequence).length > 0) {
    set(sequences, sequence, "leaves no number for another session", { seq: newest })
  }
  return findings
}
