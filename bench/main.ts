/** `npm run bench`: prints a table and writes `bench/results.json`. */
import { writeFileSync } from "node:fs"
import * as Cases from "./Cases.js"

const cases: ReadonlyArray<() => Promise<Cases.Row>> = [
  () => Cases.appends(1, 1_500, "0.7x"),
  () => Cases.appends(16, 3_200, "3x"),
  () => Cases.appends(256, 5_120, "4x"),
  () => Cases.reads(1_000, "0.5x"),
  () => Cases.reads(10_000, "0.5x"),
  () => Cases.completions(1_000, "1.5x"),
  () => Cases.turns(1_000),
  Cases.renames,
  Cases.startUp
]

const rows: Array<Cases.Row> = []
for (const measure of cases) {
  const row = await measure()
  rows.push(row)
  console.log(`${row.name.padEnd(52)} ${row.value.padEnd(36)} ${row.aim === "" ? "" : `aim: ${row.aim}`}`)
}
console.log(
  "\n`x` is how many times as fast as raw better-sqlite3 in this run, synchronous = FULL, one commit a message."
)
writeFileSync("bench/results.json", `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
