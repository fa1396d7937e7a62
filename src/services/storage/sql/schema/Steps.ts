/**
 * The steps that lead to the newest schema, oldest first. A step that was released never changes: databases that it
 * made exist. What the newest schema holds is in `Tables.ts`.
 */
import { initial } from "./Initial.js"
import { leases } from "./Leases.js"
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
  { name: "3_words", statements: words, rewrites: true }
]
