/**
 * Rules between the columns of a row, and between rows, as data: which rows break a rule, as SQL, and the values that
 * repair them. A row with columns that do not decode is repaired first, and judged by the rules afterwards. A row that
 * breaks several rules is found by the first of them.
 */
import { Effect } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Query } from "../Query.js"
import { type Expression, sqlName, type Table } from "../Table.js"
import * as Tables from "../Tables.js"
import type * as Rows from "./Rows.js"

interface Rule {
  readonly table: Table
  /** What is wrong with a row that breaks it. */
  readonly detail: string
  /** A condition that is true for rows that break it. */
  readonly breaks: string
  /** The values that repair the row; null when it must be removed. */
  readonly values: Rows.Values | null
}

const { calls, questions, runs } = Tables

const sql = (text: string): Expression => ({ sql: text })

const denied: Rows.Values = {
  verdict: questions.columns.verdict.least,
  answer: questions.columns.answer.least
}

const ofState = "is not what its state says"

/** Rules for runs, questions and open calls. Those for messages are in `TranscriptCheck`. */
const rules: ReadonlyArray<Rule> = [
  {
    table: runs,
    detail: ofState,
    breaks:
      "state = 'queued' AND coalesce(stop_reason, detail, CAST(coalesce(started_at, ended_at) AS TEXT)) IS NOT NULL",
    values: { stopReason: null, detail: null, startedAt: null, endedAt: null }
  },
  {
    table: runs,
    detail: ofState,
    breaks: `state = 'running' AND (started_at IS NULL
      OR coalesce(stop_reason, detail, CAST(ended_at AS TEXT)) IS NOT NULL)`,
    values: { stopReason: null, detail: null, startedAt: sql("coalesce(started_at, created_at)"), endedAt: null }
  },
  {
    table: runs,
    detail: ofState,
    breaks: "state = 'ended' AND (stop_reason IS NULL OR ended_at IS NULL)",
    values: {
      stopReason: sql(`coalesce(stop_reason, '${runs.columns.stopReason.least}')`),
      endedAt: sql("coalesce(ended_at, created_at)")
    }
  },
  {
    table: questions,
    detail: "has its run in another session",
    breaks: "EXISTS (SELECT 1 FROM runs WHERE runs.ordinal = questions.run AND runs.session <> questions.session)",
    values: { session: sql("(SELECT runs.session FROM runs WHERE runs.ordinal = questions.run)") }
  },
  {
    table: questions,
    detail: "has no run",
    breaks: "NOT EXISTS (SELECT 1 FROM runs WHERE runs.ordinal = questions.run)",
    values: null
  },
  {
    table: questions,
    detail: "has another verdict than its answer",
    breaks: `coalesce(verdict, '') <>
      coalesce(CASE WHEN json_valid(answer) THEN CAST(json_extract(answer, '$.verdict') AS TEXT) END, '')`,
    values: denied
  },
  {
    table: questions,
    detail: "has no call that waits for it",
    breaks: `answer IS NULL AND NOT EXISTS (SELECT 1 FROM calls JOIN runs ON runs.ordinal = questions.run
      WHERE runs.state = 'running' AND calls.session = questions.session AND calls.question = questions.id
      AND calls.state = CASE WHEN questions.display LIKE '%"inquiry":%' THEN 'started' ELSE 'pending' END)`,
    values: denied
  },
  {
    table: calls,
    detail: "has no question",
    breaks: "question IS NOT NULL AND NOT EXISTS (SELECT 1 FROM questions WHERE questions.id = calls.question)",
    values: { question: calls.columns.question.least }
  }
]

/** Further values for a damaged row: by table, or by table and damaged column. */
export const beside: Readonly<Record<string, Rows.Values>> = {
  questions: denied,
  // A run whose message is lost has nothing to run.
  "runs.message": {
    message: null,
    state: sql("CASE state WHEN 'queued' THEN 'ended' ELSE state END"),
    stopReason: sql("CASE state WHEN 'queued' THEN 'failed' ELSE stop_reason END"),
    detail: sql("CASE state WHEN 'queued' THEN 'its message was damaged' ELSE detail END"),
    endedAt: sql("CASE state WHEN 'queued' THEN created_at ELSE ended_at END")
  }
}

/** A row that breaks a rule: the ordinal of its session, and the last part of its key, a number. */
export interface Broken {
  readonly rule: Rule
  readonly session: number
  readonly row: number | bigint
}

/** All rules in one statement. It selects the index of a rule with each row that breaks it. */
const statement = `${rules
  .map(
    ({ breaks, table: { key, name, session } }, index) =>
      `SELECT ${index} AS rule, ${name}.${sqlName(session ?? "")} AS session, ${name}.${sqlName(key.at(-1) ?? "")} AS "row"
       FROM ${name} JOIN given ON ${name}.${sqlName(session ?? "")} BETWEEN first AND last WHERE ${breaks}`
  )
  .join(" UNION ALL ")} ORDER BY 1, 2, 3`

/** The rows of these sessions that break a rule, each listed once. */
export const broken = (
  query: Query,
  ...[first, last]: readonly [first: number, last: number]
): Effect.Effect<ReadonlyArray<Broken>, StorageFailed> =>
  query<{ readonly rule: number; readonly session: number; readonly row: number | bigint }>(
    "look for rows that do not fit together",
    // Materialized, it would hide how few sessions are meant: SQLite would index all runs anew for each batch.
    `WITH given (first, last) AS NOT MATERIALIZED (SELECT CAST(? AS BIGINT), CAST(? AS BIGINT)) ${statement}`,
    first,
    last
  ).pipe(
    Effect.map((found) => {
      const once = new Map<string, Broken>()
      for (const { row, rule: index, session } of found) {
        const rule = rules[index]
        const name = `${rule?.table.name} ${session} ${row}`
        if (rule !== undefined && !once.has(name)) once.set(name, { rule, session, row })
      }
      return [...once.values()]
    })
  )
