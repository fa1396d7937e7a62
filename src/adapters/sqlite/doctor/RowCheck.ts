/**
 * Whether each value of a session's rows decodes, and whether rows refer to rows that are there. A value that does not
 * decode is replaced by the one that says least, as `Tables.ts` has it. A row that has none for it is removed; sessions
 * and runs never are.
 */
import type Sqlite from "better-sqlite3"
import { Option, Schema } from "effect"
import type { Table } from "../../../services/storage/sql/Table.js"
import * as Tables from "../../../services/storage/sql/Tables.js"
import * as AssetFile from "./AssetFile.js"
import { prepared } from "./Connection.js"
import type { Finding, SessionKey } from "./Finding.js"
import * as Reporting from "./Reporting.js"
import * as Rows from "./Rows.js"

const { assets, calls, eventRows, messages, questions, runs, sessionRows, tables } = Tables

/** Tables of sessions that need no rule of their own. */
const plain = tables.filter(
  ({ name, session }) =>
    session !== null &&
    [sessionRows, runs, messages, calls, questions, assets, eventRows].every((table) => table.name !== name)
)

type Damage = Reporting.Damage
type RunRow = Rows.RowOf<typeof runs>

/** Reads the rows of sessions between two ordinals, which must be asked for in order. Undefined for one that is gone. */
export const reader = (connection: Sqlite.Database, first: number, last: number) => {
  const passing = <T extends Table>(table: T) => Rows.bySession(connection, table, first, last)
  const all = <T extends Table>(table: T) => {
    const rows = passing(table)
    return (session: number): ReadonlyArray<Rows.RowOf<T>> => [...rows(session)]
  }
  const [own, runsOf, callsOf, questionsOf] = [all(sessionRows), all(runs), all(calls), all(questions)]
  const [assetsOf, eventsOf, messagesOf] = [all(assets), all(eventRows), passing(messages)]
  const others = plain.map((table) => [table, all(table)] as const)
  return (session: number) => {
    const [row] = own(session)
    return row === undefined
      ? undefined
      : {
          own: row,
          runs: runsOf(session),
          calls: callsOf(session),
          questions: questionsOf(session),
          assets: assetsOf(session),
          events: eventsOf(session),
          others: others.flatMap(([table, rows]) => rows(session).map((row) => [table, row] as const)),
          /** May be many: they can be passed through once. */
          messages: messagesOf(session)
        }
  }
}

/** The rows of a session. */
export type SessionRows = NonNullable<ReturnType<ReturnType<typeof reader>>>

const greatestOrdinal = 2 ** 52

/** A number that no row has. */
const freeOrdinal = (connection: Sqlite.Database, { name }: Table): number =>
  prepared<{ readonly free: number }>(
    connection,
    `SELECT 1 + coalesce(max(ordinal), 0) AS free FROM ${name} WHERE ordinal BETWEEN 0 AND ${greatestOrdinal}`
  ).get()?.free ?? 1

const detailOf = (columns: ReadonlyArray<string>): string => `does not decode at ${columns.join(", ")}`

/** What is wrong with the values of a row, each by itself. `known` has what other rows or files tell of them. */
const damageOf = (
  connection: Sqlite.Database,
  table: Table,
  row: Rows.Row,
  columns = Rows.damaged(table, row),
  known: Rows.Row = {}
): Damage | null => {
  if (columns.length === 0) return null
  const ordinal = columns.includes("ordinal") ? { ordinal: freeOrdinal(connection, table) } : {}
  const told = { ...known, ...ordinal }
  const values = Rows.least(
    table,
    columns.filter((name) => !(name in told))
  )
  return { detail: detailOf(columns), values: values === null ? null : { ...values, ...told } }
}

/** What a run has because of its state alone. */
const ofState = ({ createdAt, endedAt, startedAt, state, stopReason }: RunRow): Rows.Row => {
  if (state === "queued") return { stopReason: null, detail: null, startedAt: null, endedAt: null }
  return state === "running"
    ? { stopReason: null, detail: null, startedAt: startedAt ?? createdAt, endedAt: null }
    : { stopReason: stopReason ?? runs.columns.stopReason.least, endedAt: endedAt ?? createdAt }
}

/** A run whose message is lost has nothing to run. */
const withoutMessage = ({ createdAt, state }: RunRow): Rows.Row =>
  state === "queued"
    ? { message: null, state: "ended", stopReason: "failed", detail: "its message was damaged", endedAt: createdAt }
    : { message: null }

const damageOfRun = (connection: Sqlite.Database, row: RunRow): Damage | null => {
  const columns = Rows.damaged(runs, row)
  const known = {
    ...(columns.includes("id") ? { id: `run_damaged_${Rows.text(row.ordinal)}` } : {}),
    ...(columns.includes("message") ? withoutMessage(row) : {})
  }
  const mended: RunRow = { ...row, ...damageOf(connection, runs, row, columns, known)?.values }
  const values = Rows.differing(row, { ...mended, ...ofState(mended) })
  const names = columns.length > 0 ? columns : Object.keys(values)
  return names.length === 0 ? null : { detail: detailOf(names), values }
}

const { answer, verdict } = questions.columns

const denied: Rows.Row = { verdict: verdict.least, answer: answer.least }

const decodeAnswer = Schema.decodeUnknownOption(answer.schema)
const decodeVerdict = Schema.decodeUnknownOption(verdict.schema)

/** A question is of the session of its run, and open only while a call waits for it. */
const damageOfQuestion = (
  connection: Sqlite.Database,
  row: SessionRows["questions"][number],
  { calls, runs: own }: SessionRows
): Damage | null => {
  const damage = damageOf(connection, questions, row)
  if (damage !== null) return damage.values === null ? damage : { ...damage, values: { ...damage.values, ...denied } }
  const run = own.find(({ ordinal }) => ordinal === row.run)
  if (run === undefined) {
    const elsewhere = Rows.at(connection, runs, { ordinal: row.run })
    return { detail: "has no run", values: elsewhere === undefined ? null : { session: elsewhere.session } }
  }
  const given = Option.getOrNull(decodeAnswer(row.answer))
  if ((given?.verdict ?? null) !== Option.getOrNull(decodeVerdict(row.verdict)))
    return { detail: "has another verdict than its answer", values: denied }
  const isAwaited =
    run.state === "running" && calls.some(({ question, state }) => question === row.id && state === "pending")
  return row.answer === null && !isAwaited ? { detail: "has no call that waits for it", values: denied } : null
}

/** What call it is, the transcript tells. */
const damageOfCall = (
  connection: Sqlite.Database,
  row: SessionRows["calls"][number],
  rows: SessionRows
): Damage | null => {
  const columns = Rows.damaged(calls, row).filter((name) => ["follows", "question", "state"].includes(name))
  const damage = damageOf(connection, calls, row, columns)
  const { question: id } = row
  const isKnown =
    id === null ||
    rows.questions.some((question) => question.id === id) ||
    Rows.at(connection, questions, { id }) !== undefined
  return isKnown ? damage : { detail: "has no question", values: { ...damage?.values, question: null } }
}

/** What the name of its file says is believed. */
const damageOfAsset = (
  connection: Sqlite.Database,
  data: string,
  session: SessionKey,
  row: SessionRows["assets"][number],
  all: SessionRows["assets"]
): Damage | null => {
  const columns = Rows.damaged(assets, row)
  const known = columns.length === 0 ? {} : AssetFile.told(data, session.id, row, all)
  return damageOf(connection, assets, row, columns, known)
}

/** Looks at all rows of a session but its messages. `data` is the folder with the files of its assets. */
export const check = (
  data: string,
  connection: Sqlite.Database,
  session: SessionKey,
  rows: SessionRows
): ReadonlyArray<Finding> => {
  const reported =
    <T extends Table>(table: T, damage: (row: Rows.RowOf<T>) => Damage | null) =>
    (row: Rows.RowOf<T>) =>
      Reporting.row({ session }, table, row, damage(row))
  const plainly = (table: Table) => reported(table, (row) => damageOf(connection, table, row))
  return [
    ...plainly(sessionRows)(rows.own),
    ...rows.runs.flatMap(reported(runs, (row) => damageOfRun(connection, row))),
    ...rows.questions.flatMap(reported(questions, (row) => damageOfQuestion(connection, row, rows))),
    ...rows.calls.flatMap(reported(calls, (row) => damageOfCall(connection, row, rows))),
    ...rows.assets.flatMap(reported(assets, (row) => damageOfAsset(connection, data, session, row, rows.assets))),
    ...rows.events.flatMap(plainly(eventRows)),
    ...rows.others.flatMap(([table, row]) => plainly(table)(row))
  ]
}
