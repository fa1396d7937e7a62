/** `npm run bench [-- PLACE ...]`: prints a table and writes `bench/results.json`. */
import { writeFileSync } from "node:fs"
import * as Cases from "./Cases.js"
import * as Processes from "./Processes.js"
import * as Watching from "./Watching.js"
import * as Worker from "./Worker.js"

const cases: ReadonlyArray<() => Promise<Cases.Row>> = [
  () => Cases.appends(1, 1_500, "0.7x"),
  () => Cases.appends(16, 3_200, "3x"),
  () => Cases.appends(256, 5_120, "4x"),
  () => Cases.gatewayAppends(1, 1_500, "0.8x"),
  () => Cases.gatewayAppends(16, 3_200, "3x"),
  () => Cases.gatewayAppends(256, 5_120, "7x"),
  () => Cases.reads(1_000, "0.5x"),
  () => Cases.reads(10_000, "0.5x"),
  () => Cases.reads(100_000, ""),
  () => Cases.completions(1_000, "1.5x"),
  ...[1, 10, 100, 1_000].map((count) => () => Cases.turns(count)),
  Cases.renames,
  Cases.startUp,
  Processes.fourProcesses,
  Processes.foreignLock,
  Processes.takeOver,
  Processes.eventLag,
  Processes.besideAnAsset,
  () => Watching.watchers(1_000, "2.5 s, 30 KiB"),
  () => Watching.replay(1_600, "1.5x")
]

/** All cases, or those whose place in the list is named. */
const measureAll = async (places: ReadonlyArray<number>): Promise<void> => {
  const rows: Array<Cases.Row> = []
  for (const [place, measure] of cases.entries()) {
    if (places.length > 0 && !places.includes(place + 1)) continue
    const row = await measure()
    rows.push(row)
    console.log(`${row.name.padEnd(52)} ${row.value.padEnd(36)} ${row.aim === "" ? "" : `aim: ${row.aim}`}`)
  }
  console.log(
    "\n`x` is how many times as fast as raw better-sqlite3 in this run, synchronous = FULL, one commit a message;\n`CPU` is how many times the CPU time of raw it costs."
  )
  writeFileSync("test/bench/results.json", `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
}

const [, , first, given] = process.argv
if (first === "worker" && given !== undefined) await Worker.run(given)
else await measureAll(process.argv.slice(2).map(Number))
