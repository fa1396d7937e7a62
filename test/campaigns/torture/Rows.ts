/**
 * What a data folder contains, read without the engine: SQLite's own check of the file, the rows compared with each
 * other, the calls that were open, and what should not be there. Throws `Broken` at the first thing that is wrong.
 */
import Sqlite from "better-sqlite3"
import { Option } from "effect"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "../../../src/adapters/sqlite/Inspection.js"
import * as Migrations from "../../../src/adapters/sqlite/Migrations.js"
import * as SqliteWriter from "../../../src/adapters/sqlite/SqliteWriter.js"
import { type Sql, SqlFailure } from "../../../src/services/storage/sql/Database.js"
import * as Invariants from "../simulation/Invariants.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import { callsOf, dataOf } from "./Folders.js"

export interface OpenCall {
  readonly session: string
  readonly seq: number
  readonly callId: string
  readonly state: "pending" | "started"
  /** Whether a human was asked, and may have answered. */
  readonly isAsked: boolean
  /** Whether its run may go on: it was not cancelled, and its session is not being deleted. */
  readonly mayGoOn: boolean
  /** Whether its run was released: calls that had not started go on with the run. */
  readonly isReleased: boolean
}

interface Result {
  readonly session: string
  readonly callId: string
  readonly outcome: string
  readonly body: string
}

export interface Rows {
  readonly open: ReadonlyArray<OpenCall>
  readonly results: ReadonlyArray<Result>
}

const none: Rows = { open: [], results: [] }

const query = <A>(folder: string, read: (sql: Sql) => A): A | null => {
  const path = join(dataOf(folder), "skein.db")
  if (!existsSync(path) || statSync(path).size === 0) return null
  if (inspect(path, Migrations.newest) === 0) return null
  const connection = new Sqlite(path, { readonly: true, timeout: 5_000 })
  try {
    return read(SqliteWriter.make(connection))
  } catch (thrown) {
    if (thrown instanceof SqlFailure) return broken("SQLite", thrown.code)
    throw thrown
  } finally {
    connection.close()
  }
}

const checkFile = (sql: Sql): void => {
  const [found] = sql.all<{ readonly integrity_check: string }>("PRAGMA integrity_check")
  if (found?.integrity_check !== "ok") broken("SQLite", found?.integrity_check ?? "no integrity")
  const [foreign] = sql.all<object>("PRAGMA foreign_key_check")
  if (foreign !== undefined) broken("SQLite", `foreign keys: ${JSON.stringify(foreign)}`)
}

/** Compares everything with everything, and changes nothing. */
export const look = (folder: string): Rows => {
  const rows = query(folder, (sql): Rows => {
    checkFile(sql)
    const breach = Invariants.breach(sql)
    if (breach !== null) broken("rows", breach)
    const open = sql
      .all<Omit<OpenCall, "isAsked" | "mayGoOn" | "isReleased"> & Record<"asked" | "goesOn" | "released", number>>(
        `SELECT s.id AS session, c.seq, c.id AS callId, c.state, c.question IS NOT NULL AS asked,
           s.state = 'live' AND r.cancel_requested = 0 AS goesOn, r.released_at IS NOT NULL AS released
         FROM calls AS c JOIN session_rows AS s ON s.ordinal = c.session
         JOIN runs AS r ON r.session = s.ordinal AND r.state = 'running'`
      )
      .map(({ asked, goesOn, released, ...call }) => ({
        ...call,
        isAsked: asked === 1,
        mayGoOn: goesOn === 1,
        isReleased: released === 1
      }))
    const results = sql.all<Result>(
      `SELECT s.id AS session, m.call AS callId, m.outcome, m.body
       FROM messages AS m JOIN session_rows AS s ON s.ordinal = m.session WHERE m.role = 'tool'`
    )
    return { open, results }
  })
  checkCalls(folder, rows ?? none)
  return rows ?? none
}

/**
 * A text that changes with every event, message, call and session that comes or goes. Empty when nothing can be read.
 */
export const signs = (folder: string): string =>
  Option.getOrElse(
    Option.liftThrowable(() =>
      JSON.stringify(
        query(folder, (sql) =>
          sql.all(
            `SELECT (SELECT count(*) FROM event_rows), (SELECT count(*) FROM messages), (SELECT count(*) FROM calls),
               (SELECT count(*) FROM assets), count(*) FROM session_rows`
          )
        )
      )
    )(),
    () => ""
  )

/** Compares the files that calls left with what is stored about the calls. */
const checkCalls = (folder: string, { open, results }: Rows): void => {
  const files = new Set(existsSync(callsOf(folder)) ? readdirSync(callsOf(folder)) : [])
  for (const file of files) if (file.endsWith(".twice")) broken("P5", `call ${file.slice(0, -6)} was run twice`)
  for (const { callId, state } of open) {
    if (state === "pending" && files.has(`${callId}.entered`)) broken("P5", `${callId} ran but is stored as pending`)
  }
  for (const { callId, outcome } of results) {
    const entered = files.has(`${callId}.entered`)
    if (outcome === "never-started" && entered) broken("P4", `${callId} ran but is stored as never started`)
    if (outcome === "success" && !files.has(`${callId}.left`))
      broken("P5", `${callId} is stored as a success but did not finish`)
  }
}

/** What should no longer be in the folder once a sweep is done; one text for each. */
export const leftovers = (folder: string): ReadonlyArray<string> => {
  const sql = query(folder, (sql) => ({
    dying: sql.all<{ readonly id: string }>("SELECT id FROM session_rows WHERE state <> 'live'"),
    assets: sql.all<{
      readonly session: string
      readonly id: string
      readonly createdAt: number
      readonly sha256: string
    }>(
      `SELECT session_rows.id AS session, assets.id, assets.sha256, assets.created_at AS createdAt
       FROM assets JOIN session_rows ON session_rows.ordinal = assets.session`
    )
  }))
  const { assets = [], dying = [] } = sql ?? {}
  const wanted = new Set(assets.map((asset) => pathOf(asset)))
  const root = join(dataOf(folder), "assets")
  const found = existsSync(root) ? readdirSync(root) : []
  const files = found.flatMap((name) => readdirSync(join(root, name)).map((file) => `${name}/${file}`))
  const others = readdirSync(dataOf(folder)).filter((name) => !/^(skein\.db(-wal|-shm)?|assets)$/.test(name))
  return [
    ...dying.map(({ id }) => `session ${id}`),
    ...files.filter((file) => !wanted.has(file)).map((file) => `file ${file}`),
    ...[...wanted].filter((file) => !files.includes(file)).map((file) => `row of ${file}`),
    ...found.filter((name) => !files.some((file) => file.startsWith(`${name}/`))).map((name) => `folder ${name}`),
    ...others
  ]
}

const pathOf = (asset: {
  readonly session: string
  readonly id: string
  readonly createdAt: number
  readonly sha256: string
}): string => `${asset.session}/${asset.id}.${asset.createdAt}.${asset.sha256}`
