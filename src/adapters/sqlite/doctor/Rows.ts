/**
 * Stored rows of any table, as `Tables.ts` describes it: how they are read, which values do not decode, and what replaces
 * these. The values of a row have the names of their columns in code. An integer that JavaScript cannot hold is a bigint,
 * and so decodes nowhere.
 */
import type Sqlite from "better-sqlite3"
import { Either, Schema } from "effect"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import { exactly } from "../../../services/storage/sql/ExactCheck.js"
import { select, sqlName, type Table } from "../../../services/storage/sql/Table.js"
import { prepared } from "./Connection.js"

/** Values of columns. */
export interface Row {
  readonly [name: string]: Parameter
}

/** A value for people. */
export const text = (value: Parameter | undefined): string => String(value)

export type RowOf<T extends Table> = { readonly [N in keyof T["columns"] & string]: Parameter }

const page = 200
const smallest = -(2n ** 63n)

const read = <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  rest: string,
  parameters: ReadonlyArray<Parameter>
): ReadonlyArray<RowOf<T>> => {
  const text = `SELECT ${select(table, Object.keys(table.columns))} FROM ${table.name} WHERE ${rest}`
  const rows = prepared<RowOf<T>>(connection, text)
    .safeIntegers()
    .all(...parameters)
  for (const row of rows) {
    for (const [name, value] of Object.entries<Parameter>(row)) {
      if (typeof value === "bigint" && Number.isSafeInteger(Number(value)))
        Object.assign(row, { [name]: Number(value) })
    }
  }
  return rows
}

const equal = (names: ReadonlyArray<string>): string => names.map((name) => `${sqlName(name)} = ?`).join(" AND ")

/** The parts of a row's key. */
export const keyOf = ({ key }: Table, row: Row): Row => Object.fromEntries(key.map((name) => [name, row[name] ?? null]))

/** The row with a key. */
export const at = <T extends Table>(connection: Sqlite.Database, table: T, key: Row): RowOf<T> | undefined =>
  read(connection, table, equal(Object.keys(key)), Object.values(key))[0]

/** Passes the rows of a table, in the order of its key: those of a session, or all. Few are in memory at a time. */
export const of = function* <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  session?: number
): Generator<RowOf<T>> {
  const order = sqlName(table.key.at(-1) ?? "")
  const owner = session === undefined || table.session === null ? "" : `${sqlName(table.session)} = ? AND`
  for (let after: Parameter = smallest; ;) {
    const parameters = session === undefined || table.session === null ? [after, page] : [session, after, page]
    const rows = read(connection, table, `${owner} ${order} > ? ORDER BY ${order} LIMIT ?`, parameters)
    yield* rows
    if (rows.length < page) return
    const last: Row = rows.at(-1) ?? {}
    after = last[table.key.at(-1) ?? ""] ?? null
  }
}

interface Check {
  readonly name: string
  readonly least: Parameter | undefined
  readonly decodes: (value: unknown) => boolean
}

const checks = new WeakMap<Table, ReadonlyArray<Check>>()

const checksOf = (table: Table): ReadonlyArray<Check> => {
  const known = checks.get(table)
  if (known !== undefined) return known
  const made = Object.entries(table.columns).map(([name, { least, schema }]): Check => {
    const isExact = exactly(schema)
    const decode = Schema.decodeUnknownEither(schema)
    return { name, least, decodes: (value) => isExact(value) || Either.isRight(decode(value)) }
  })
  checks.set(table, made)
  return made
}

/** The columns whose values do not decode. */
export const damaged = (table: Table, row: Row): ReadonlyArray<string> =>
  checksOf(table)
    .filter(({ decodes, name }) => !decodes(row[name]))
    .map(({ name }) => name)

/** What replaces the values of columns, saying least; null when nothing can replace one of them. */
export const least = (table: Table, columns: ReadonlyArray<string>): Row | null => {
  const values = checksOf(table).filter(({ name }) => columns.includes(name))
  return values.some(({ least }) => least === undefined)
    ? null
    : Object.fromEntries(values.map(({ least, name }) => [name, least ?? null]))
}
