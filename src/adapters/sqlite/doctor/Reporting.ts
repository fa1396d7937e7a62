/** How damage becomes a finding: that of a row with the change that mends it, and what could not be read by its error. */
import { Effect } from "effect"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Table } from "../../../services/storage/sql/Table.js"
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

/** Reports a row, if it is damaged. */
export const row = (place: Place, table: Table, row: Rows.Row, damage: Damage | null): ReadonlyArray<Finding> => {
  if (damage === null) return []
  const { detail, isLoss = damage.values === null && table.session !== null, values } = damage
  const changes = [{ ...Change.remove(table, row), values, isLoss }]
  const ids = { ...Rows.named(table, row), detail }
  return "session" in place
    ? [make("row-damaged", { ...place, ...ids }, changes)]
    : [make("shared-row-damaged", { ...place, ...ids }, changes)]
}

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
