/**
 * Checks what concerns several sessions: rows without a session, the ids and ordinals of sessions, and the rows of the
 * whole database. A session that has lost its own row gets a new one, with its old id if a folder of assets tells it.
 */
import { Effect, Option, Schema, Struct } from "effect"
import { SessionId } from "../../../../domain/Session.js"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import * as AssetNames from "../../../assets/AssetNames.js"
import type { Parameter } from "../Database.js"
import type { Query } from "../Query.js"
import * as SessionOrdinal from "../SessionOrdinal.js"
import type { Table } from "../Table.js"
import * as Tables from "../Tables.js"
import type * as Change from "./Change.js"
import type { Database } from "./Database.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import * as Orphans from "./Orphans.js"
import * as Rows from "./Rows.js"
import { assetsOf } from "./SessionCheck.js"

const { assets, meta, sessionRows, tables } = Tables

type SessionNames = Rows.RowOf<typeof Orphans.sessionKeys>

const newestSession = `SELECT ${SessionOrdinal.newest} AS newest`

const isId = Schema.is(SessionId)
const isOrdinal = Schema.is(sessionRows.columns.ordinal.schema)

/** How many sessions are checked together at most, and about how many messages they may have. */
const most = { sessions: 100, messages: 10_000 }

const sizes = { ...sessionRows, columns: Struct.pick(sessionRows.columns, "ordinal", "id", "head") }

/** The sessions with valid ids and ordinals, in batches, sorted by ordinal. */
export const batches = (query: Query): Effect.Effect<ReadonlyArray<ReadonlyArray<SessionKey>>, StorageFailed> =>
  Effect.map(Rows.all(query, sizes), (rows) => {
    const batches: Array<Array<SessionKey>> = []
    let left = 0
    for (const { head, id, ordinal } of rows) {
      if (!isId(id) || !isOrdinal(ordinal)) continue
      const batch = batches.at(-1)
      if (batch === undefined || batch.length === most.sessions || left < 0) {
        batches.push([{ id, ordinal }])
        left = most.messages
      } else batch.push({ id, ordinal })
      left -= Number(head)
    }
    return batches
  })

/** The session whose folder contains a file of one of the assets of the session with this ordinal. */
const sessionOfFiles = ({ files, query }: Database, ordinal: Parameter) =>
  Effect.map(Rows.all(query, assets, [ordinal, ordinal]), (rows) => {
    const names = new Set(assetsOf("any", rows).map(AssetNames.file))
    return names.size === 0
      ? Option.none()
      : Option.flatMap(Option.fromNullable(files), (files) => files.sessionOf(names))
  })

const isFree = ({ query }: Database, id: string) =>
  Effect.map(query("look for a session", "SELECT 1 FROM session_rows WHERE id = ?", id), (rows) => rows.length === 0)

/** A free id for a session: the one that its files tell, else one that says that it was recovered. */
const idFor = Effect.fnUntraced(function* (database: Database, ordinal: Parameter) {
  const plain = `recovered-${Rows.text(ordinal)}`
  let id: string = Option.getOrElse(yield* sessionOfFiles(database, ordinal), () => plain)
  for (let number = 1; !(yield* isFree(database, id)); number++) id = number === 1 ? plain : `${plain}-${number}`
  return id
})

/** Sessions with valid ids whose files are in the folder of another id, which no session has. */
const misnamed = Effect.fnUntraced(function* (database: Database) {
  const { files, query } = database
  const found: Array<readonly [SessionKey, SessionId]> = []
  if (files === null) return found
  const withAssets = yield* query<SessionKey>(
    "look for sessions with files",
    "SELECT ordinal, id FROM session_rows WHERE state = 'live' AND ordinal IN (SELECT session FROM assets)"
  )
  for (const session of withAssets) {
    if (!isId(session.id) || files.hasFolder(session.id)) continue
    const named = Option.getOrNull(yield* sessionOfFiles(database, session.ordinal))
    if (named !== null && (yield* isFree(database, named))) found.push([session, named])
  }
  return found
})

/**
 * Selects sessions with an invalid ordinal and, if there are rows without a session, sessions without rows. A session
 * normally has at least one event. The parameter is how many ordinals are without a session.
 */
const lostSessions = `SELECT ordinal, id FROM session_rows WHERE ordinal NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER} OR (? > 0
  AND NOT EXISTS (SELECT 1 FROM event_rows WHERE session = ordinal)
  AND NOT EXISTS (SELECT 1 FROM messages WHERE session = ordinal))`

/** Finds sessions without their rows, and rows without their session. */
const checkNames = Effect.fnUntraced(function* (database: Database) {
  const { path, query } = database
  const findings: Array<Finding> = []
  const set = (row: SessionNames, detail: string, values: Rows.Values) =>
    void findings.push(...Judging.report({ path }, sessionRows, { ...row }, { detail, values }))

  let orphans = yield* Orphans.ordinals(query)
  const lost = yield* query<SessionNames>("look for sessions without rows", lostSessions, orphans.length)
  const [newest] = yield* query<{ readonly newest: number }>("read the newest session", newestSession)
  let free = Math.max(newest?.newest ?? 0, ...orphans.filter(isOrdinal)) + 1
  for (const row of lost) {
    const [orphan] = lost.length === 1 && orphans.length === 1 ? orphans : []
    if (orphan !== undefined) orphans = []
    set(row, "has another ordinal than its rows", { ordinal: orphan ?? free++ })
  }
  const invalid: Array<SessionNames> = []
  yield* Rows.each(query, Orphans.sessionKeys, null, (row) => void (isId(row.id) || invalid.push(row)))
  for (const row of invalid) set(row, "has an invalid id", { id: yield* idFor(database, row.ordinal) })
  for (const [row, id] of yield* misnamed(database)) set(row, `has its files under the id ${id}`, { id })
  const [names, changes]: readonly [Array<string>, Array<Change.Change>] = [[], []]
  for (const orphan of orphans) {
    const ordinal = isOrdinal(orphan) ? orphan : free++
    const id = yield* idFor(database, orphan)
    names.push(id)
    changes.push(Orphans.adoption(ordinal, id))
    if (ordinal !== orphan) changes.push(...(yield* Orphans.moves(query, orphan, ordinal)))
  }
  if (names.length > 0) findings.push(make("session-rows-missing", { path, names }, changes))
  return findings
})

/** Checks everything that concerns several sessions. */
export const check = (database: Database): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const { ownTables, path, query } = database
    const findings = yield* checkNames(database)
    const shared: ReadonlyArray<Table> = [...tables.filter(({ session }) => session === null), ...ownTables]
    for (const table of shared) {
      const rows = yield* Rows.all(query, table)
      findings.push(...Judging.rows({ path }, table, rows))
      if (table.name !== meta.name || rows.length > 0) continue
      const values = { cursorFloor: meta.columns.cursorFloor.least }
      findings.push(...Judging.report({ path }, meta, { id: 1 }, { detail: "is missing", values, isLoss: true }))
    }
    return findings
  })
