/**
 * Rows are judged by their table: a value that does not decode is replaced by the one that says least, as `Tables.ts` has
 * it, or by what else is known of it; a row that has neither goes. What is wrong becomes a finding, with the change that
 * mends it. So does a look that could not be taken.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Table } from "../../../services/storage/sql/Table.js"
import { prepared } from "./Connection.js"
import * as Change from "./Change.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"

/** What a finding is about: a session, or the whole database at a path. */
export type Place = { readonly session: SessionKey } | { readonly path: string }

export interface Damage {
  /** What is wrong with a row. */
  readonly detail: string
  /** What mends it; null when the row has to go. */
  readonly values: Rows.Row | null
  /** Whether something is lost: by default if a row has to go that engines do not make again. */
  readonly isLoss?: boolean
}

/** That a row does not have all of these values, which `detail` ends with the names of; null when it has them. */
export const differing = (detail: string, row: Rows.Row, wanted: Rows.Row): Damage | null => {
  const values = Rows.differing(row, wanted)
  const names = Object.keys(values)
  return names.length === 0 ? null : { detail: `${detail} ${names.join(", ")}`, values }
}

/** What is found of a row, if it is damaged. */
export const report = (place: Place, table: Table, row: Rows.Row, damage: Damage | null): ReadonlyArray<Finding> => {
  if (damage === null) return []
  const { detail, isLoss = damage.values === null && table.session !== null, values } = damage
  const changes = [{ ...Change.remove(table, row), values, isLoss }]
  const ids = { ...Rows.named(table, row), detail }
  return "session" in place
    ? [make("row-damaged", { ...place, ...ids }, changes)]
    : [make("shared-row-damaged", { ...place, ...ids }, changes)]
}

const greatestOrdinal = 2 ** 52

/** A number that no row has. */
const freeOrdinal = (connection: Sqlite.Database, { name }: Table): number =>
  prepared<{ readonly free: number }>(
    connection,
    `SELECT 1 + coalesce(max(ordinal), 0) AS free FROM ${name} WHERE ordinal BETWEEN 0 AND ${greatestOrdinal}`
  ).get()?.free ?? 1

/** What is known of a table's rows beside its columns' Schemas. */
export interface Rule<T extends Table> {
  /** Columns of which the transcript tells. */
  readonly told?: ReadonlyArray<string>
  /** What other rows or files tell of a row, of which these columns are damaged. */
  readonly known?: (row: Rows.RowOf<T>, damaged: ReadonlyArray<string>) => Rows.Row
  /** What is wrong between a row's columns, or between it and others. Its values decode, or are mended. */
  readonly beside?: (row: Rows.RowOf<T>) => Damage | null
}

const damageOf = <T extends Table>(
  connection: Sqlite.Database,
  table: T,
  row: Rows.RowOf<T>,
  { beside, known, told = [] }: Rule<T>
): Damage | null => {
  const columns = Rows.damaged(table, row).filter((name) => !told.includes(name))
  if (columns.length === 0) return beside?.(row) ?? null
  const detail = `does not decode at ${columns.join(", ")}`
  const found: Rows.Row = {
    ...known?.(row, columns),
    ...(columns.includes("ordinal") ? { ordinal: freeOrdinal(connection, table) } : {})
  }
  const unknown = columns.filter((name) => !(name in found))
  const least = Rows.least(table, unknown)
  if (least === null) return { detail, values: null }
  const other = beside?.({ ...row, ...least, ...found })
  const values = other?.values === null ? null : Rows.differing(row, { ...least, ...found, ...other?.values })
  return { detail, values }
}

/** Looks at rows: whether each value decodes, and what else their rule knows. */
export const rows = <T extends Table>(
  connection: Sqlite.Database,
  place: Place,
  table: T,
  rows: Iterable<Rows.RowOf<T>>,
  rule: Rule<T> = {}
): ReadonlyArray<Finding> =>
  [...rows].flatMap((row) => report(place, table, row, damageOf(connection, table, row, rule)))

/** Reports that a look could not be taken, if it fails. */
export const orUnreadable = <R>(
  place: Place,
  look: Effect.Effect<ReadonlyArray<Finding>, StorageFailed, R>
): Effect.Effect<ReadonlyArray<Finding>, never, R> =>
  Effect.catchAll(look, ({ code, operation }) =>
    Effect.succeed([
      "session" in place
        ? make("session-unreadable", { ...place, operation, code })
        : make("unreadable", { ...place, operation, code })
    ])
  )
