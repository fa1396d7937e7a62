/**
 * Which values of a row do not decode, and a repair that replaces each by the one that says least, as `Tables.ts` has
 * them. The row as it was is kept aside.
 */
import { Either, Option, Schema } from "effect"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import { sqlName, type Table } from "../../../services/storage/sql/Table.js"
import * as Tables from "../../../services/storage/sql/Tables.js"
import { type Ids, type Repaired, repaired, type RowKind, rowTables } from "./Finding.js"
import { change, type Means } from "./Means.js"

/** A row by the names of its columns in SQL. */
export type Row = Readonly<Record<string, unknown>>

type Values = Readonly<Record<string, Parameter>>

const columnsOf = (table: Table) =>
  Object.entries(table.columns).map(([name, { least, schema }]) => ({
    name: sqlName(name),
    least,
    decode: Schema.decodeUnknownEither(schema)
  }))

const columns = {
  session: columnsOf(rowTables.session),
  run: columnsOf(rowTables.run),
  question: columnsOf(rowTables.question)
}

/** The columns whose values do not decode. A running run has an engine. */
const damaged = (kind: RowKind, row: Row) =>
  columns[kind].filter(
    ({ decode, name }) =>
      Either.isLeft(decode(row[name])) ||
      (kind === "run" && name === "engine" && row["state"] === "running" && row["engine"] === null)
  )

/** The first column whose value does not decode. */
export const firstDamaged = (kind: RowKind, row: Row): Option.Option<string> =>
  Option.map(Option.fromNullable(damaged(kind, row)[0]), ({ name }) => name)

const { answer, verdict } = Tables.questions.columns

/** What damage in a row does to other columns of it. A run whose message is lost has nothing to run. */
const consequences = (kind: RowKind, row: Row, names: ReadonlyArray<string>): Values => {
  if (kind === "question") return { verdict: verdict.least, answer: answer.least }
  if (kind !== "run" || !names.includes("message")) return {}
  const at = typeof row["created_at"] === "number" ? row["created_at"] : 0
  return row["state"] === "queued"
    ? { message: null, state: "ended", stop_reason: "failed", detail: "its message was damaged", ended_at: at }
    : { message: null }
}

/** The values that make a row one that the engine can read; none when nothing can be put in a damaged column. */
export const mended = (kind: RowKind, row: Row): Option.Option<Values> => {
  const columns = damaged(kind, row)
  const values = consequences(
    kind,
    row,
    columns.map(({ name }) => name)
  )
  const least = columns.filter(({ name }) => !(name in values)).map(({ least, name }) => [name, least] as const)
  const known = least.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return known.length < least.length || columns.length === 0
    ? Option.none()
    : Option.some({ ...Object.fromEntries(known), ...values })
}

export const reset = ({ id, ordinal, row, session }: Ids["row-damaged"], means: Means): Repaired => {
  const { aside, connection } = means
  const { name } = rowTables[row]
  const stored = connection.prepare<[number], Row>(`SELECT * FROM ${name} WHERE ordinal = ?`).get(ordinal) ?? {}
  const kept = aside.keep(row === "session" ? `${id}-session` : `${session.id}-${row}-${id}`, stored)
  const values = Object.entries(Option.getOrElse(mended(row, stored), (): Values => ({})))
  change(means, session, () => {
    for (const [column, value] of values) {
      connection.prepare(`UPDATE ${name} SET ${column} = ? WHERE ordinal = ?`).run(value, ordinal)
    }
  })
  return repaired({ aside: [kept] })
}
