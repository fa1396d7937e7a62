/** One row of the benchmark's table: what a case measured, and its aim. */
export interface Row {
  readonly name: string
  readonly value: string
  readonly aim: string
  /** All numbers that were measured. A comparison of two runs uses these. */
  readonly numbers: { readonly [name: string]: number }
}
