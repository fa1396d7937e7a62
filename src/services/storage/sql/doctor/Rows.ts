/**
 * Rows of any table in `Tables.ts`: how they are read, which of their values do not decode, and what replaces those. The
 * values of a row go by the names that columns have in code. An integer beyond the safe range of a number is a bigint,
 * and so never decodes.
 */
import { Effect, Either, Schema } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Parameter } from "../Database.js"
import { exactly } from "../../../../domain/ExactCheck.js"
import type { Query } from "../Query.js"
import { type Expression, isExpression, select, sqlName, type Table } from "../Table.js"

/** Values of columns. */
export interface Row {
  readonly [name: string]: Parameter
}

/** New values of columns. Some are computed from other rows as they are stored. */
export interface Values {
  readonly [name: string]: Parameter | Expression
}

export type RowOf<T extends Table> = { readonly [N in keyof T["columns"] & string]: Parameter }

/** A value as text for people. */
export const text = (value: Parameter | undefined): string => String(value)

/** The values of a row's key. */
export const keyOf = ({ key }: Table, row: Row): Row => Object.fromEntries(key.map((name) => [name, row[name] ?? null]))

/** A row's table, what people call such a row, and its id: its own, else the last part of its key. */
export const named = (table: Table, row: Row) => ({
  table: table.name,
  row: table.damage.row,
  id: text(row["id"] ?? row[table.key.at(-1) ?? ""])
})

/** Those of the wanted values that a row does not have. */
export const differing = <V extends Parameter | Expression>(
  row: Row,
  wanted: { readonly [name: string]: V }
): { readonly [name: string]: V } =>
  Object.fromEntries(Object.entries(wanted).filter(([name, value]) => row[name] !== value))

interface Check {
  readonly name: string
  readonly least: Parameter | Expression | undefined
  readonly decodes: (value: unknown) => boolean
}

const cache = new WeakMap<Table, ReadonlyArray<Check>>()

/** The checks of a table's columns, made once. */
const checksOf = (table: Table): ReadonlyArray<Check> => {
  const known = cache.get(table)
  if (known !== undefined) return known
  const checks = Object.entries(table.columns).map(([name, { least, schema }]): Check => {
    const isExact = exactly(schema)
    const decode = Schema.decodeUnknownEither(schema)
    return { name, least, decodes: (value) => isExact(value) || Either.isRight(decode(value)) }
  })
  cache.set(table, checks)
  return checks
}

/** The names of the columns whose values do not decode. */
export const damaged = (table: Table, row: Row): ReadonlyArray<string> =>
  checksOf(table).flatMap(({ decodes, name }) => (decodes(row[name]) ? [] : [name]))

/** The `least` values of these columns; null when one of them has none. */
export const least = (table: Table, columns: ReadonlyArray<string>): Values | null => {
  const checks = checksOf(table).filter(({ name }) => columns.includes(name))
  return checks.some(({ least }) => least === undefined)
    ? null
    : Object.fromEntries(checks.map(({ least, name }) => [name, least ?? null]))
}

type Entry = readonly [name: string, value: Parameter | Expression]

const isPlain = (entry: Entry): entry is readonly [name: string, value: Parameter] => !isExpression(entry[1])

const entriesOf = (values: Values): ReadonlyArray<Entry> => Object.entries(values)

/** The values, if none of them is computed from other rows; otherwise null. */
export const plain = (values: Values | null): Row | null => {
  const entries = entriesOf(values ?? {})
  return values !== null && entries.every(isPlain) ? Object.fromEntries(entries) : null
}

export type Statement = readonly [text: string, parameters: ReadonlyArray<Parameter>]

/** A value as it is written in a statement. */
export const sqlOf = (value: Parameter | Expression): string => (isExpression(value) ? value.sql : "?")

export const parametersOf = (values: Values): ReadonlyArray<Parameter> =>
  entriesOf(values)
    .filter(isPlain)
    .map(([, value]) => value)

/** Columns with their values, as a condition or as assignments. */
export const equal = (values: Values, separator = " AND "): string =>
  Object.entries(values)
    .map(([name, value]) => `${sqlName(name)} = ${sqlOf(value)}`)
    .join(separator)

const head = (table: Table): string => `SELECT ${select(table, Object.keys(table.columns))} FROM ${table.name}`

/** Selects the row with a key. */
export const find = (table: Table, key: Row): Statement => [`${head(table)} WHERE ${equal(key)}`, parametersOf(key)]

/** Reads the row with a key. */
export const at = <T extends Table>(query: Query, table: T, key: Row) =>
  Effect.suspend(() => {
    const [text, parameters] = find(table, key)
    return Effect.map(query<RowOf<T>>(`read the ${table.damage.row}`, text, ...parameters), ([row]) => row)
  })

const page = 500

/** A range of sessions, by their ordinals. */
export type Range = readonly [first: Parameter, last: Parameter]

/**
 * Reads rows a page at a time and passes each on, sorted by session and then by key. `of` is the range of sessions
 * whose rows are read. With null, all rows are read, sorted by key.
 */
export const each = <T extends Table>(
  query: Query,
  table: T,
  of: Range | null,
  pass: (row: RowOf<T>) => void
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const owner = of === null ? null : table.session
    const order = owner === null ? table.key : [...new Set([owner, table.key.at(-1) ?? owner])]
    const columns = order.map(sqlName).join(", ")
    const range = owner === null ? [] : [`${sqlName(owner)} BETWEEN ? AND ?`]
    const rest = [...range, `(${columns}) > (${order.map(() => "?").join(", ")})`]
    const read = (conditions: ReadonlyArray<string>, ...after: ReadonlyArray<Parameter>) =>
      query<RowOf<T>>(
        `read the ${table.damage.row} rows`,
        `${head(table)}${conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`} ORDER BY ${columns} LIMIT ?`,
        ...(owner === null ? [] : (of ?? [])),
        ...after,
        page
      )
    for (let rows = yield* read(range); ;) {
      for (const row of rows) pass(row)
      const last: Row | undefined = rows.at(-1)
      if (rows.length < page || last === undefined) return
      rows = yield* read(rest, ...order.map((name) => last[name] ?? null))
    }
  })

/** All rows of a table, or those of a range of sessions. For small numbers of rows. */
export const all = <T extends Table>(
  query: Query,
  table: T,
  of: Range | null = null
): Effect.Effect<ReadonlyArray<RowOf<T>>, StorageFailed> =>
  Effect.suspend(() => {
    const rows: Array<RowOf<T>> = []
    return Effect.as(
      each(query, table, of, (row) => void rows.push(row)),
      rows
    )
  })
