/**
 * Finds everything that can be wrong with sessions. A batch of them is read in one transaction, each of their tables by
 * one statement. Rows are judged by their values, and by whether the engine's own code can read them.
 */
import { Array, Effect, Option, Schema, Struct } from "effect"
import { Asset } from "../../../../domain/Asset.js"
import { EngineId } from "../../../../domain/Lease.js"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import { Engines } from "../../../Engines.js"
import * as Sessions from "../Sessions.js"
import type { Table } from "../Table.js"
import * as Tables from "../Tables.js"
import type { Database } from "./Database.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import * as Rows from "./Rows.js"
import * as Rules from "./Rules.js"
import * as SessionRows from "./SessionRows.js"
import * as TranscriptCheck from "./TranscriptCheck.js"

type Findings = ReadonlyArray<Finding>
type SessionRows = SessionRows.SessionRows

/** The findings about a session's rows, and the assets whose files remain to be checked. */
export interface SessionLook {
  readonly session: SessionKey
  readonly findings: Findings
  readonly assets: ReadonlyArray<Asset>
}

const decodeAsset = Schema.decodeUnknownOption(Asset)

/** The assets of a session whose rows decode. */
export const assetsOf = (sessionId: string, rows: Iterable<Rows.Row>): ReadonlyArray<Asset> =>
  Array.filterMap(rows, (row) => decodeAsset({ ...row, sessionId }))

/** Open calls, with the columns that the transcript says nothing about. */
const openCalls = { ...Tables.calls, columns: Struct.omit(Tables.calls.columns, "seq", "position", "id", "name") }

/** Checks all rows of a session except its messages, by their columns and by the rules that they break. */
const checkRows = ({ files }: Database, rows: SessionRows, broken: ReadonlyArray<Rules.Broken>): Findings => {
  const { session } = rows
  const tables: ReadonlyArray<readonly [Table, ReadonlyArray<Rows.Row>]> = [
    [Tables.sessionRows, [rows.own]],
    [Tables.runs, rows.runs],
    [Tables.questions, rows.questions],
    [openCalls, rows.calls],
    [Tables.assets, rows.assets],
    [Tables.eventRows, rows.events],
    ...rows.others
  ]
  const told = (table: Table, row: Rows.Row) => () =>
    (table.name === Tables.assets.name ? files?.told(session.id, row, rows.assets) : null) ?? {}
  const ruleOf = ({ key, name }: Table, row: Rows.Row) =>
    broken.find((one) => one.rule.table.name === name && one.row === row[key.at(-1) ?? ""])?.rule ?? null
  return tables.flatMap(([table, rows]) =>
    rows.flatMap((row) => {
      const damage = Judging.damageOf(table, row, told(table, row)) ?? ruleOf(table, row)
      return Judging.report({ session }, table, row, damage)
    })
  )
}

const decodeEngine = Schema.decodeUnknownOption(Schema.parseJson(EngineId))

/** Runs whose process died. They are not damage: the next engine that claims the session ends them. */
const leftBehind = Effect.fnUntraced(function* ({ runs, session }: SessionRows) {
  const engines = yield* Engines
  const findings: Array<Finding> = []
  for (const { engine, id } of runs.filter(({ state }) => state === "running")) {
    const known = decodeEngine(engine)
    if (Option.isNone(known) || (yield* engines.liveness(known.value)) !== "dead") continue
    findings.push(make("run-left-behind", { session, run: Rows.text(id) }))
  }
  return findings
})

/** Whether the engine can read the session. Requires that nothing else of it is damaged. */
const refusal = ({ query }: Database, { own, session }: SessionRows) =>
  Sessions.find(query, session.id).pipe(
    Effect.as([]),
    Effect.catchTags({
      SessionNotFound: () => Effect.succeed([]),
      RowDamaged: ({ detail }) =>
        Effect.succeed([make("row-beyond-repair", { session, ...Rows.named(Tables.sessionRows, own), detail })])
    })
  )

const areSound = (findings: Findings): boolean => findings.every(({ changes }) => changes === null)

/** Checks the rows of one session. */
const lookAt = Effect.fnUntraced(function* (
  database: Database,
  rows: SessionRows,
  broken: ReadonlyArray<Rules.Broken>
) {
  const { own, session } = rows
  const [cursor, firstCursor] = [Number(own.cursor), Number(own.firstCursor)]
  const isImport = own.state === "hidden" && cursor < firstCursor
  const findings: Array<Finding> = []
  if (own.state !== "live") findings.push(make(isImport ? "import-unfinished" : "deletion-unfinished", { session }))
  if (own.state === "hidden") return findings
  findings.push(...checkRows(database, rows, broken), ...TranscriptCheck.check(rows))
  // The other checks read the same rows, so they would report this damage again.
  if (areSound(findings)) findings.push(...EventCheck.checkPosition(rows))
  if (areSound(findings) && !EventCheck.isWhole(rows)) {
    for (const look of [EventCheck.check(database.query, session, firstCursor - 1), refusal(database, rows)]) {
      findings.push(...(yield* Judging.orUnreadable({ session }, look)))
    }
  }
  return [...findings, ...(yield* leftBehind(rows))]
})

/** Checks sessions, which must be sorted by ordinal. */
export const check = (
  database: Database,
  sessions: ReadonlyArray<SessionKey>
): Effect.Effect<ReadonlyArray<SessionLook>, never, Engines> => {
  const { query, snapshot } = database
  const look = Effect.gen(function* () {
    const known = yield* SessionRows.read(query, sessions)
    const broken = yield* Rules.broken(query, sessions[0]?.ordinal ?? 0, sessions.at(-1)?.ordinal ?? 0)
    return yield* Effect.forEach(sessions, (session) =>
      Effect.gen(function* () {
        const rows = known.get(session.ordinal)
        if (rows === undefined) return { session, findings: [], assets: [] }
        const ofSession = broken.filter((one) => one.session === session.ordinal)
        const assets = rows.own.state === "hidden" ? [] : assetsOf(session.id, rows.assets)
        return { session, assets, findings: yield* lookAt(database, rows, ofSession) }
      })
    )
  })
  // A session that cannot be read does not stop the check of the others.
  return Effect.catchAll(snapshot(look), (error: StorageFailed) =>
    Effect.map(
      Effect.forEach(sessions, (session) =>
        sessions.length > 1
          ? check(database, [session])
          : Effect.map(Judging.orUnreadable({ session }, error), (findings) => [{ session, findings, assets: [] }])
      ),
      (seen) => seen.flat()
    )
  )
}
