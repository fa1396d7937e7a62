/**
 * Judges rows by their table. A value that does not decode is replaced by a known one, or else by the column's `least`
 * in `Tables.ts`, which claims the least. A row with a damaged column that has neither is removed. Damage becomes a
 * finding with the change that repairs it. A check that could not run becomes a finding as well.
 */
import { Effect } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Table } from "../Table.js"
import * as Change from "./Change.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"
import * as Rules from "./Rules.js"

/** What a finding concerns: a session, or the whole database at a path. */
export type Place = { readonly session: SessionKey } | { readonly path: string }

export interface Damage {
  /** What is wrong with the row. */
  readonly detail: string
  /** The values that repair it; null when the row must be removed. */
  readonly values: Rows.Values | null
  /** Whether something is lost. By default true when a row is removed that engines do not create again. */
  readonly isLoss?: boolean
}

/** The damage of a row that lacks some of these values; null when it has them all. Their names are added to `detail`. */
export const differing = (detail: string, row: Rows.Row, wanted: Rows.Values): Damage | null => {
  const values = Rows.differing(row, wanted)
  const names = Object.keys(values)
  return names.length === 0 ? null : { detail: `${detail} ${names.join(", ")}`, values }
}

/** The finding about a damaged row; none for `null`. */
export const report = (place: Place, table: Table, row: Rows.Row, damage: Damage | null): ReadonlyArray<Finding> => {
  if (damage === null) return []
  const { detail, isLoss = damage.values === null && table.session !== null, values } = damage
  const changes = [{ ...Change.remove(table, row), values, isLoss }]
  const ids = { ...Rows.named(table, row), detail }
  return "session" in place
    ? [make("row-damaged", { ...place, ...ids }, changes)]
    : [make("shared-row-damaged", { ...place, ...ids }, changes)]
}

/** The columns of a row that do not decode, as damage. `known` returns values that are known from elsewhere. */
export const damageOf = (table: Table, row: Rows.Row, known: () => Rows.Row = () => ({})): Damage | null => {
  const columns = Rows.damaged(table, row)
  if (columns.length === 0) return null
  const names = [table.name, ...columns.map((name) => `${table.name}.${name}`)]
  const found = names.reduce<Rows.Values>((values, name) => ({ ...values, ...Rules.beside[name] }), known())
  const least = Rows.least(
    table,
    columns.filter((name) => !(name in found))
  )
  const values = least === null ? null : Rows.differing(row, { ...least, ...found })
  return { detail: `does not decode at ${columns.join(", ")}`, values }
}

/** Checks the columns of rows. */
export const rows = (place: Place, table: Table, rows: Iterable<Rows.Row>): ReadonlyArray<Finding> =>
  Array.from(rows).flatMap((row) => report(place, table, row, damageOf(table, row)))

/** Turns the failure of a check into a finding. */
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
