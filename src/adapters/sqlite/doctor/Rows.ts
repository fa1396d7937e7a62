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

/** An integer as a number, if it can be one. */
export const number = (value: Parameter): Parameter =>
  typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value

const page = 500
const smallest = -(2n ** 63n)

interface Check {
  readonly name: string
  readonly least: Parameter | undefined
  readonly decodes: (value: unknown) => boolean
}

/** What is made of a table once. */
interface TableReading {
  readonly head: string
  readonly checks: ReadonlyArray<Check>
}

const cache = new WeakMap<Table, TableReading>()

const derived = (table: Table): TableReading => {
  const known = cache.get(table)
  if (known !== undefined) return known
  const checks = Object.entries(table.columns).map(([name, { least, schema }]): Check => {
    const isExact = exactly(schema)
    const decode = Schema.decodeUnknownEither(schema)
    return { name, least, decodes: (value) => isExact(value) || Either.isRight(decode(value)) }
  })
  const made = { head: `SELECT ${select(table, Object.keys(table.columns))} FROM ${table.name}`, checks }
  cache.set(table, made)
  return made
}

/** Whether a number may not be the one that is stored. */
const isInexact = (value: Parameter): boolean => typeof value === "number" && !Number.isSafeInteger(value)

const read = <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  rest: string,
  parameters: ReadonlyArray<Parameter>
): ReadonlyArray<RowOf<T>> => {
  const text = `${derived(table).head} WHERE ${rest}`
  const rows = prepared<RowOf<T>>(connection, text).all(...parameters)
  if (!rows.some((row) => Object.values<Parameter>(row).some(isInexact))) return rows
  const exact = prepared<RowOf<T>>(connection, `${text} -- exact`)
    .safeIntegers()
    .all(...parameters)
  for (const row of exact) {
    for (const [name, value] of Object.entries<Parameter>(row)) Object.assign(row, { [name]: number(value) })
  }
  return exact
}

/** Columns with a parameter each, as a condition or as assignments. */
export const equal = (names: ReadonlyArray<string>, separator = " AND "): string =>
  names.map((name) => `${sqlName(name)} = ?`).join(separator)

/** Inserts a row into the table of this name. */
export const insert = (connection: Sqlite.Database, table: string, row: Row, verb = "INSERT"): void => {
  const columns = Object.keys(row)
  const text = `${verb} INTO ${table} (${columns.map(sqlName).join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`
  prepared(connection, text).run(...Object.values(row))
}

/** The parts of a row's key. */
export const keyOf = ({ key }: Table, row: Row): Row => Object.fromEntries(key.map((name) => [name, row[name] ?? null]))

/** The value of a column, by its name. */
const valueOf = (row: Row, name: string): Parameter | undefined => row[name]

/** What a row is called for people: by its id, else by the part of its key that is its own. */
const nameOf = ({ key }: Table, row: Row): string => text(row["id"] ?? row[key.at(-1) ?? ""])

/** A row by its table, by what it is called, and by its id. */
export const named = (table: Table, row: Row) => ({
  table: table.name,
  row: table.damage.row,
  id: nameOf(table, row)
})

/** The values that a row does not have. */
export const differing = (row: Row, wanted: Row): Row =>
  Object.fromEntries(Object.entries(wanted).filter(([name, value]) => row[name] !== value))

/** The row with a key. */
export const at = <T extends Table>(connection: Sqlite.Database, table: T, key: Row): RowOf<T> | undefined =>
  read(connection, table, equal(Object.keys(key)), Object.values(key))[0]

/** Passes rows in the order of these columns, which name each once. Few are in memory at a time. */
const inOrder = function* <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  order: ReadonlyArray<string>,
  where = "",
  parameters: ReadonlyArray<Parameter> = []
): Generator<RowOf<T>> {
  const columns = order.map(sqlName).join(", ")
  const places = order.map(() => "?").join(", ")
  let after: ReadonlyArray<Parameter> = order.map(() => smallest)
  for (;;) {
    const rest = `${where} (${columns}) > (${places}) ORDER BY ${columns} LIMIT ?`
    const rows = read(connection, table, rest, [...parameters, ...after, page])
    yield* rows
    const last: Row | undefined = rows.length < page ? undefined : rows.at(-1)
    if (last === undefined) return
    after = order.map((name) => last[name] ?? null)
  }
}

/** All rows of a table. */
export const all = <T extends Table>(connection: Sqlite.Database, table: T): Generator<RowOf<T>> =>
  inOrder(connection, table, table.key)

/** The rows of the sessions from one ordinal to another, in the order of sessions and then of their key. */
export const between = <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  first: Parameter,
  last: Parameter = first
): Generator<RowOf<T>> => {
  const owner = table.session ?? ""
  const order = [...new Set([owner, table.key.at(-1) ?? owner])]
  return inOrder(connection, table, order, `${sqlName(owner)} BETWEEN ? AND ? AND`, [first, last])
}

/** The rows of each of these sessions, which must be asked for in order. */
export const bySession = <T extends Table>(connection: Sqlite.Database, table: T, first: number, last: number) => {
  const rows = between(connection, table, first, last)
  let next: IteratorResult<RowOf<T>, unknown> | null = null
  return function* (session: number): Generator<RowOf<T>> {
    for (next ??= rows.next(); next.done !== true; next = rows.next()) {
      const owner = Number(valueOf(next.value, table.session ?? ""))
      if (owner > session) return
      if (owner === session) yield next.value
    }
  }
}

/** The columns whose values do not decode. */
export const damaged = (table: Table, row: Row): ReadonlyArray<string> =>
  derived(table)
    .checks.filter(({ decodes, name }) => !decodes(row[name]))
    .map(({ name }) => name)

/** What replaces the values of columns, saying least; null when nothing can replace one of them. */
export const least = (table: Table, columns: ReadonlyArray<string>): Row | null => {
  const values = derived(table).checks.filter(({ name }) => columns.includes(name))
  return values.some(({ least }) => least === undefined)
    ? null
    : Object.fromEntries(values.map(({ least, name }) => [name, least ?? null]))
}
