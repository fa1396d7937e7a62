/**
 * Whether each value of a session's own row, its runs and its questions decodes, and whether the engine reads the row.
 * Values that do not decode are replaced by those that say least, as `Tables.ts` has them.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId } from "../../../domain/Run.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import * as Questions from "../../../services/storage/sql/Questions.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as Sessions from "../../../services/storage/sql/Sessions.js"
import type { Table } from "../../../services/storage/sql/Table.js"
import { questions, runs, sessionRows } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { queryOn } from "./Connection.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"

type Columns = ReadonlyArray<string>
type RunRow = Rows.RowOf<typeof runs>

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

const mendRun = (row: RunRow, columns: Columns): Rows.Row | null => {
  if (columns.length === 0) return ofState(row)
  const isLost = columns.includes("message")
  const least = Rows.least(
    runs,
    columns.filter((name) => name !== "message")
  )
  return least !== null && isLost ? { ...least, ...withoutMessage(row) } : least
}

/** A question with any damage is denied. */
const mendQuestion = (columns: Columns): Rows.Row | null => {
  const { answer, verdict } = questions.columns
  const least = Rows.least(questions, columns)
  return least === null ? null : { ...least, verdict: verdict.least, answer: answer.least }
}

const mendSession = (columns: Columns): Rows.Row | null =>
  columns.length === 0 ? null : Rows.least(sessionRows, columns)

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

/** Looks at all of them. */
export const check = (
  connection: Sqlite.Database,
  session: SessionKey
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const query = queryOn(connection)
    const findings: Array<Finding> = []
    /** `read` is the engine's own, and reads the row by an id that decodes. */
    const judge = (table: Table, row: Rows.Row, mend: (columns: Columns) => Rows.Row | null, read: Refusal) =>
      Effect.gen(function* () {
        const columns = Rows.damaged(table, row)
        const detail = columns.length === 0 ? yield* read : `does not decode at ${columns.join(", ")}`
        if (detail === null) return
        const values = mend(columns)
        const ids = { session, table: table.name, row: table.damage.row, id: Rows.text(row["id"]), detail }
        const changes = values === null ? null : [Change.update(table, row, values)]
        findings.push(make(changes === null ? "row-beyond-repair" : "row-damaged", ids, changes))
      })
    for (const row of Rows.of(connection, sessionRows, session.ordinal)) {
      yield* judge(sessionRows, row, mendSession, refusal(Sessions.find(query, session.id)))
    }
    for (const row of Rows.of(connection, runs, session.ordinal)) {
      const read = (): Refusal =>
        row.state === "running"
          ? refusal(RunRows.activity(query, session.id))
          : refusal(RunRows.find(query, RunId.make(Rows.text(row.id))))
      yield* judge(runs, row, (columns) => mendRun(row, columns), Effect.suspend(read))
    }
    for (const row of Rows.of(connection, questions, session.ordinal)) {
      const read = () => refusal(Questions.find(query, QuestionId.make(Rows.text(row.id))))
      yield* judge(questions, row, mendQuestion, Effect.suspend(read))
    }
    return findings
  })
