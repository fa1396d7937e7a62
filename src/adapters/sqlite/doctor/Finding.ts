/**
 * What a doctor finds: where, what, what would be done about it, and the doing. A note is nothing wrong; damage makes a
 * data folder unhealthy until it is repaired.
 */
import type Sqlite from "better-sqlite3"
import type { Aside } from "../Aside.js"

/** What repairs of files use. */
export interface Files {
  readonly aside: Aside
}

/** What repairs of rows use. Nothing else has the database open. */
export interface Means extends Files {
  readonly connection: Sqlite.Database
}

/** Does it, and says what was done. What it throws means that nothing was. */
export type Repair<Needs = Means> = (means: Needs) => string

export interface Finding<in Needs = Means> {
  readonly kind: "damage" | "note"
  /** A path, or a session and a place in it. */
  readonly where: string
  readonly what: string
  /** What a repair does, or what a person can do. */
  readonly remedy: string
  /** Null when nothing can be done here, or nothing has to be. */
  readonly repair: Repair<Needs> | null
}

export const note = (where: string, what: string, remedy: string): Finding<unknown> => ({
  kind: "note",
  where,
  what,
  remedy,
  repair: null
})

/** Damage that only a person can mend. */
export const beyondRepair = (where: string, what: string, remedy: string): Finding<unknown> => ({
  kind: "damage",
  where,
  what,
  remedy,
  repair: null
})

export const damage = <Needs>(where: string, what: string, remedy: string, repair: Repair<Needs>): Finding<Needs> => ({
  kind: "damage",
  where,
  what,
  remedy,
  repair
})
