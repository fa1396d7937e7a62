/**
 * The steps to the newest schema, oldest first. A released step never changes, because databases exist that it has
 * made. `Tables.ts` has the tables of the newest schema.
 */
import { columns } from "./Columns.js"
import { initial } from "./Initial.js"
import { leases } from "./Leases.js"
import { recovery } from "./Recovery.js"
import { words } from "./Words.js"

export interface Step {
  /** `<version>_<what it does>`; versions count from 1 without gaps. */
  readonly name: string
  readonly statements: ReadonlyArray<string>
  /** Whether it changes or removes rows that are stored already. */
  readonly rewrites: boolean
}

export const steps: ReadonlyArray<Step> = [
  { name: "1_initial", statements: initial, rewrites: false },
  { name: "2_leases", statements: leases, rewrites: false },
  { name: "3_words", statements: words, rewrites: true },
  { name: "4_recovery", statements: recovery, rewrites: false },
  { name: "5_columns", statements: columns, rewrites: true }
]
