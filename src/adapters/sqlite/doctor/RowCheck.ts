/**
 * Whether each value of a row decodes, whether rows refer to rows that are there, and whether the engine reads them. A
 * value that does not decode is replaced by the one that says least, as `Tables.ts` has it. A row that has none for it is
 * removed; sessions and runs never are.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId } from "../../../domain/Run.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import * as Questions from "../../../services/storage/sql/Questions.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as Sessions from "../../../services/storage/sql/Sessions.js"
import type { Table } from "../../../services/storage/sql/Table.js"
import { calls, messages, questions, runs, sessionRows, tables } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { prepared, queryOn } from "./Connection.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"

/** Tables of sessions whose rows have nothing to do with others'. */
const plain = tables.filter(
  ({ name, session }) =>
    session !== null && [sessionRows, runs, messages, calls, questions].every((table) => table.name !== name)
)

type RunRow = Rows.RowOf<typeof runs>
type QuestionRow = Rows.RowOf<typeof questions>

/** What is wrong with a row, and the values that mend it; null when the row has to go. */
interface Damage {
  readonly detail: string
  readonly values: Rows.Row | null
}

const at = (columns: ReadonlyArray<string>): string => `does not decode at ${columns.join(", ")}`

const greatestOrdinal = 2 ** 52

/** A number that no row has. */
const freeOrdinal = (connection: Sqlite.Database, { name }: Table): number =>
  prepared<{ readonly free: number }>(
    connection,
    `SELECT 1 + coalesce(max(ordinal), 0) AS free FROM ${name} WHERE ordinal BETWEEN 0 AND ${greatestOrdinal}`
  ).get()?.free ?? 1

/** What is wrong with the values of a row, each by itself. */
const damageOf = (
  connection: Sqlite.Database,
  table: Table,
  row: Rows.Row,
  columns: ReadonlyArray<string> = Rows.damaged(table, row)
): Damage | null => {
  if (columns.length === 0) return null
  const values = Rows.least(
    table,
    columns.filter((name) => name !== "ordinal")
  )
  const ordinal = columns.includes("ordinal") ? { ordinal: freeOrdinal(connection, table) } : {}
  return { detail: at(columns), values: values === null ? null : { ...values, ...ordinal } }
}

/** The change that mends a row. */
const mend = (table: Table, row: Rows.Row, { values }: Damage): Change.Change =>
  values === null ? Change.loss(Change.remove(table, row)) : Change.update(table, row, values)

/** What a run has because of its state alone. */
const ofState = ({ createdAt, endedAt, engine, startedAt, state, stopReason }: RunRow): Rows.Row => {
  if (state === "queued") return { stopReason: null, detail: null, startedAt: null, endedAt: null }
  return state === "running"
    ? {
        stopReason: null,
        detail: null,
        startedAt: startedAt ?? createdAt,
        endedAt: null,
        engine: engine ?? runs.columns.engine.least
      }
    : { stopReason: stopReason ?? runs.columns.stopReason.least, endedAt: endedAt ?? createdAt }
}

/** A run whose message is lost has nothing to run. */
const withoutMessage = ({ createdAt, state }: RunRow): Rows.Row =>
  state === "queued"
    ? { message: null, state: "ended", stopReason: "failed", detail: "its message was damaged", endedAt: createdAt }
    : { message: null }

const damageOfRun = (connection: Sqlite.Database, row: RunRow): Damage | null => {
  const columns = Rows.damaged(runs, row)
  const values = {
    ...(columns.includes("id") ? { id: `run_damaged_${Rows.text(row.ordinal)}` } : {}),
    ...(columns.includes("message") ? withoutMessage(row) : {})
  }
  if (columns.length === 0) return null
  const others = columns.filter((name) => !(name in values))
  const mended: RunRow = { ...row, ...damageOf(connection, runs, row, others)?.values, ...values }
  const changed = Object.entries({ ...mended, ...ofState(mended) }).filter(
    ([name, value]) => Rows.valueOf(row, name) !== value
  )
  return { detail: at(columns), values: Object.fromEntries(changed) }
}

const { answer, verdict } = questions.columns

const denied: Rows.Row = { verdict: verdict.least, answer: answer.least }

const decodeAnswer = Schema.decodeUnknownOption(answer.schema)

/** The rows of a session that others refer to. */
export interface SessionRows {
  readonly own: Rows.RowOf<typeof sessionRows>
  readonly runs: ReadonlyArray<RunRow>
  readonly calls: ReadonlyArray<Rows.RowOf<typeof calls>>
  readonly questions: ReadonlyArray<QuestionRow>
}

/** Reads them; undefined when there is no such session. */
export const read = (connection: Sqlite.Database, { ordinal }: SessionKey): SessionRows | undefined => {
  const own = Rows.at(connection, sessionRows, { ordinal })
  return own === undefined
    ? undefined
    : {
        own,
        runs: [...Rows.of(connection, runs, ordinal)],
        calls: [...Rows.of(connection, calls, ordinal)],
        questions: [...Rows.of(connection, questions, ordinal)]
      }
}

/** A question is of the session of its run, and open only while a call waits for it. */
const damageOfQuestion = (
  connection: Sqlite.Database,
  row: QuestionRow,
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
  if ((given?.verdict ?? null) !== row.verdict) return { detail: "has another verdict than its answer", values: denied }
  const isAwaited =
    run.state === "running" && calls.some(({ question, state }) => question === row.id && state === "pending")
  return row.answer === null && !isAwaited ? { detail: "has no call that waits for it", values: denied } : null
}

type Refusal = Effect.Effect<string | null, StorageFailed>

/** Why the engine's own read refuses a row; null when it reads it. What it does not find is not damaged. */
const refusal = (
  read: Effect.Effect<unknown, RowDamaged | StorageFailed | { readonly _tag: `${string}NotFound` }>
): Refusal =>
  Effect.matchEffect(read, {
    onSuccess: () => Effect.succeed(null),
    onFailure: (error) => {
      if (error._tag === "StorageFailed") return error
      return Effect.succeed(error._tag === "RowDamaged" ? error.detail : null)
    }
  })

/** Looks at all rows of a session but its messages. */
export const check = (
  connection: Sqlite.Database,
  session: SessionKey,
  rows: SessionRows
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const query = queryOn(connection)
    const findings: Array<Finding> = []
    const report = (table: Table, row: Rows.Row, damage: Damage | null): boolean => {
      if (damage === null) return false
      const { detail, values } = damage
      const ids = { session, table: table.name, row: table.damage.row, id: Rows.nameOf(table, row), detail }
      const isBeyond = values !== null && Object.keys(values).length === 0
      findings.push(
        make(isBeyond ? "row-beyond-repair" : "row-damaged", ids, isBeyond ? null : [mend(table, row, damage)])
      )
      return true
    }
    if (!report(sessionRows, rows.own, damageOf(connection, sessionRows, rows.own))) {
      const detail = yield* refusal(Sessions.find(query, session.id))
      report(sessionRows, rows.own, detail === null ? null : { detail, values: {} })
    }
    for (const row of rows.runs) {
      if (report(runs, row, damageOfRun(connection, row))) continue
      const read =
        row.state === "running"
          ? RunRows.activity(query, session.id)
          : RunRows.find(query, RunId.make(Rows.text(row.id)))
      const detail = yield* refusal(read)
      report(runs, row, detail === null ? null : { detail, values: ofState(row) })
    }
    for (const row of rows.questions) {
      if (report(questions, row, damageOfQuestion(connection, row, rows))) continue
      const detail = yield* refusal(Questions.find(query, QuestionId.make(Rows.text(row.id))))
      report(questions, row, detail === null ? null : { detail, values: denied })
    }
    for (const row of rows.calls) {
      // What call it is, the transcript tells.
      const { question } = row
      const isKnown = question === null || Rows.at(connection, questions, { id: question }) !== undefined
      const columns = Rows.damaged(calls, row).filter((name) => ["follows", "question", "state"].includes(name))
      const damage = damageOf(connection, calls, row, columns)
      report(
        calls,
        row,
        isKnown ? damage : { detail: "has no question", values: { ...damage?.values, question: null } }
      )
    }
    for (const table of plain) {
      for (const row of Rows.of(connection, table, session.ordinal))
        report(table, row, damageOf(connection, table, row))
    }
    return findings
  })
