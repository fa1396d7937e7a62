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
import type { OpenDatabase } from "./Connection.js"
import type { Finding, SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import type { Rule } from "./Judging.js"
import * as Rows from "./Rows.js"

const { assets, calls, eventRows, messages, questions, runs, sessionRows, tables } = Tables

/** Tables of sessions that need no rule of their own. */
const plain = tables.filter(
  ({ name, session }) =>
    session !== null &&
    [sessionRows, runs, messages, calls, questions, assets, eventRows].every((table) => table.name !== name)
)

type RunRow = Rows.RowOf<typeof runs>

/** Reads the rows of sessions between two ordinals, which must be asked for in order. Undefined for one that is gone. */
export const reader = (connection: Sqlite.Database, first: number, last: number) => {
  const passing = <T extends Table>(table: T) => Rows.bySession(connection, table, first, last)
  const all = <T extends Table>(table: T) => {
    const rows = passing(table)
    return ({ ordinal }: SessionKey): ReadonlyArray<Rows.RowOf<T>> => [...rows(ordinal)]
  }
  const [ownOf, runsOf, callsOf, questionsOf] = [all(sessionRows), all(runs), all(calls), all(questions)]
  const [assetsOf, eventsOf, messagesOf] = [all(assets), all(eventRows), passing(messages)]
  const others = plain.map((table) => [table, all(table)] as const)
  return (session: SessionKey) => {
    const [own] = ownOf(session)
    if (own === undefined) return undefined
    return {
      session,
      own,
      runs: runsOf(session),
      calls: callsOf(session),
      questions: questionsOf(session),
      assets: assetsOf(session),
      events: eventsOf(session),
      others: others.flatMap(([table, rows]) => rows(session).map((row) => [table, row] as const)),
      /** May be many: they can be passed through once. */
      messages: messagesOf(session.ordinal),
      /** What has been seen in the places of its messages. */
      places: new Map<unknown, Place>()
    }
  }
}

interface Place {
  /** The role of its message. */
  readonly role: unknown
  /** The cursor of its event, if that has no row. */
  readonly cursor: number | null
}

/** The rows of a session. */
export type SessionRows = NonNullable<ReturnType<ReturnType<typeof reader>>>

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

const ofRuns: Rule<typeof runs> = {
  known: (row, damaged) => ({
    ...(damaged.includes("id") ? { id: `run_damaged_${Rows.text(row.ordinal)}` } : {}),
    ...(damaged.includes("message") ? withoutMessage(row) : {})
  }),
  beside: (row) => Judging.differing("does not decode at", row, ofState(row))
}

const { answer, verdict } = questions.columns

const denied: Rows.Row = { verdict: verdict.least, answer: answer.least }

const decodeAnswer = Schema.decodeUnknownOption(answer.schema)
const decodeVerdict = Schema.decodeUnknownOption(verdict.schema)

/** A question is of the session of its run, and open only while a call waits for it. */
const ofQuestions = (connection: Sqlite.Database, { calls, runs: own }: SessionRows): Rule<typeof questions> => ({
  known: () => denied,
  beside: (row) => {
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
})

const ofCalls = (connection: Sqlite.Database, { questions: own }: SessionRows): Rule<typeof calls> => ({
  told: ["seq", "position", "id", "name"],
  beside: ({ question: id }) =>
    id === null || own.some((question) => question.id === id) || Rows.at(connection, questions, { id }) !== undefined
      ? null
      : { detail: "has no question", values: { question: null } }
})

/** Looks at all rows of a session but its messages. */
export const check = ({ connection, data }: OpenDatabase, rows: SessionRows): ReadonlyArray<Finding> => {
  const { session } = rows
  const judged = <T extends Table>(table: T, all: ReadonlyArray<Rows.RowOf<T>>, rule?: Rule<T>) =>
    Judging.rows(connection, { session }, table, all, rule)
  return [
    ...judged(sessionRows, [rows.own]),
    ...judged(runs, rows.runs, ofRuns),
    ...judged(questions, rows.questions, ofQuestions(connection, rows)),
    ...judged(calls, rows.calls, ofCalls(connection, rows)),
    ...judged(assets, rows.assets, { known: (row) => AssetFile.told(data, session.id, row, rows.assets) }),
    ...judged(eventRows, rows.events),
    ...rows.others.flatMap(([table, row]) => judged(table, [row]))
  ]
}
