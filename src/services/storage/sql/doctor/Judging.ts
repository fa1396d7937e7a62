/**
 * Rows are judged by their table: a value that does not decode is replaced by the one that says least, as `Tables.ts` has
 * it, or by what else is known of it; a row that has neither goes. What is wrong becomes a finding, with the change that
 * mends it. So does a look that could not be taken.
 */
import { Effect } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Table } from "../Table.js"
import * as Change from "./Change.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"
import * as Rules from "./Rules.js"

/** What a finding is about: a session, or the whole database at a path. */
export type Place = { readonly session: SessionKey } | { readonly path: string }

export interface Damage {
  /** What is wrong with a row. */
  readonly detail: string
  /** What mends it; null when the row has to go. */
  readonly values: Rows.Values | null
  /** Whether something is lost: by default if a row has to go that engines do not make again. */
  readonly isLoss?: boolean
}

/** That a row does not have all of these values, which `detail` ends with the names of; null when it has them. */
export const differing = (detail: string, row: Rows.Row, wanted: Rows.Values): Damage | null => {
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

/** What of a row does not decode. `known` are values that something else tells. */
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

/** Looks at the columns of rows. */
export const rows = (place: Place, table: Table, rows: Iterable<Rows.Row>): ReadonlyArray<Finding> =>
  Array.from(rows).flatMap((row) => report(place, table, row, damageOf(table, row)))

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
