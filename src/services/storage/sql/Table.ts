/**
 * A table as statements and repairs see it. Everything that is derived from a table is a constant, made once when its
 * module is loaded, so that each statement is prepared once.
 *
 * A column has its name in code; in SQL the same name is in snake case: `createdAt` is `created_at`.
 */
import type { Schema } from "effect"
import type { Parameter } from "./Database.js"
import type { Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"

/** A value that is computed from other rows, as SQL. */
export interface Expression {
  readonly sql: string
}

export const isExpression = (value: Parameter | Expression): value is Expression =>
  value !== null && typeof value === "object" && "sql" in value

interface Column {
  /** Decodes a stored value. */
  readonly schema: Schema.Schema.AnyNoContext
  /** Replaces a value that does not decode. Without it, a value may follow from other rows; else the row is removed. */
  readonly least?: Parameter | Expression
}

export interface Columns {
  readonly [name: string]: Column
}

type Name<C extends Columns> = keyof C & string

export interface Table<C extends Columns = Columns> {
  readonly name: string
  readonly columns: C
  readonly key: ReadonlyArray<string>
  /** The column with the ordinal of the session that a row belongs to; null when it belongs to none. */
  readonly session: string | null
  /** Whether a row also has a number, by which a damaged table can be read row by row. */
  readonly hasRowid: boolean
  /** Whether engines make its rows again, so that a rebuilt database begins without them. */
  readonly isTransient: boolean
  /** For people: what a row is called, and what a repair does to a damaged one. */
  readonly damage: { readonly row: string; readonly remedy: string }
}

/** A table whose key consists of its columns. */
export const table = <const C extends Columns>(
  table: Table<C> & { readonly key: ReadonlyArray<Name<C>>; readonly session: Name<C> | null }
): Table<C> => table

/** A row, or a part of one, as it is stored. */
export type StoredRow<T extends Table, Names extends keyof T["columns"]> = {
  readonly [N in Names]: Schema.Schema.Encoded<T["columns"][N]["schema"]> & Parameter
}

/** A column's name in SQL. */
export const sqlName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The columns of a SELECT, under their names in code. `from` is the name of the table in the statement. */
export const select = <C extends Columns>(
  { name: table }: Table<C>,
  names: ReadonlyArray<Name<C>>,
  from: string = table
): string =>
  names.map((name) => (sqlName(name) === name ? `${from}.${name}` : `${from}.${sqlName(name)} AS "${name}"`)).join(", ")

export interface Insertion<Row> {
  readonly statement: string
  /** The statement's parameters, in its order. */
  readonly parameters: (row: Row) => Array<Parameter>
}

/** What happens when a row's key is taken: the row breaks a constraint, the existing row stays, or it is replaced. */
type Taken = "refuse" | "keep" | "replace"

const onConflict = (key: ReadonlyArray<string>, names: ReadonlyArray<string>, taken: Taken): string => {
  switch (taken) {
    case "refuse":
      return ""
    case "keep":
      return " ON CONFLICT DO NOTHING"
    case "replace":
      return ` ON CONFLICT (${key.map(sqlName).join(", ")}) DO UPDATE SET ${names
        .filter((name) => !key.includes(name))
        .map((name) => `${sqlName(name)} = excluded.${sqlName(name)}`)
        .join(", ")}`
  }
}

/** Inserts a row with these columns; the others get their defaults. */
export const insertion = <T extends Table, const Names extends ReadonlyArray<Name<T["columns"]>>>(
  { key, name }: T,
  names: Names,
  taken: Taken = "refuse"
): Insertion<StoredRow<T, Names[number]>> => ({
  statement: `INSERT INTO ${name} (${names.map(sqlName).join(", ")})
     VALUES (${names.map(() => "?").join(", ")})${onConflict(key, names, taken)}`,
  parameters: (row) => names.map((name: Names[number]) => row[name])
})

/** Stores a row. */
export const insert = <Row>(tx: Transaction, { parameters, statement }: Insertion<Row>, row: Row): Statement<number> =>
  tx.run(statement, ...parameters(row))
