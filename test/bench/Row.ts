/** One line of the benchmark's table: what a case found, and what it aims at. */
export interface Row {
  readonly name: string
  readonly value: string
  readonly aim: string
  /** All that was measured. Of two runs these are compared. */
  readonly numbers: { readonly [name: string]: number }
}
