/**
 * `npm run bench [-- PLACE ...]` prints a line for each case, or for the cases at these positions in the list.
 *
 * `--out FILE` writes the result, `--compare FILE` compares it with an earlier one, `--table` puts it into README.md
 * next to this file. `--peers` installs the frameworks that turns are compared with; `--long` adds the cases that take
 * many minutes. `--scale` measures those of several machines instead, which have their own page.
 */
import { parseArgs } from "node:util"
import * as Cases from "./Cases.js"
import * as Crowd from "./Crowd.js"
import * as InBrowser from "./InBrowser.js"
import * as OverHttp from "./OverHttp.js"
import * as Peers from "./Peers.js"
import * as Processes from "./Processes.js"
import * as Report from "./Report.js"
import type { Row } from "./Row.js"
import * as Scale from "./Scale.js"
import * as ScaleWorker from "./ScaleWorker.js"
import * as Sizes from "./Sizes.js"
import * as Stretches from "./Stretches.js"
import * as Watching from "./Watching.js"
import * as Weight from "./Weight.js"
import * as Worker from "./Worker.js"

type Case = () => Promise<Row>

const cases: ReadonlyArray<Case> = [
  () => Cases.appends(1, 1_500, "0.62x"),
  () => Cases.appends(16, 3_200, "3.2x"),
  () => Cases.appends(256, 5_120, "9.3x"),
  () => Cases.gatewayAppends(1, 1_500, "0.8x"),
  () => Cases.gatewayAppends(16, 3_200, "3x"),
  () => Cases.gatewayAppends(256, 5_120, "7x"),
  () => Processes.firstAppends(100, ""),
  () => Cases.reads(1_000, "0.7x"),
  () => Cases.reads(10_000, "0.7x"),
  () => Cases.reads(100_000, ""),
  () => Cases.completions(1_000, "1.5x"),
  ...[1, 10, 100].map((count) => () => Cases.turns(count, "")),
  () => Cases.turns(1_000, "0.6x"),
  () => Sizes.steps(400, 40_000, "CPU 2x, 1.5x"),
  () => Sizes.pages(10_000, "1 ms, 4 ms"),
  Cases.renames,
  () => Processes.fourProcesses("0.7x"),
  Processes.foreignLock,
  Processes.takeOver,
  Processes.eventLag,
  Processes.besideAnAsset,
  () => Watching.watchers(1_000, "2.5 s, 30 KiB"),
  () => Watching.replay(1_600, "1.5x"),
  () => OverHttp.latency(300, ""),
  () => OverHttp.sends(16, 60, ""),
  () => OverHttp.clients(1_000, "2.5 s, 30 KiB, 200 ms"),
  () => InBrowser.page(1_600, "500 ms"),
  () => Weight.starts("1.5x, 3x, 3x"),
  () => Weight.imports("1.6x"),
  () => Weight.bundle("1.1x")
]

const besidePeers: ReadonlyArray<Case> = [
  () => Cases.turnsAgainst(Peers.aiSdk, 1, "5x"),
  () => Cases.turnsAgainst(Peers.aiSdk, 10, "3x"),
  () => Cases.turnsAgainst(Peers.aiSdk, 100, "3x"),
  ...[1, 10, 100].map((count) => () => Cases.turnsAgainst(Peers.langGraph, count, "0.4x"))
]

const long: ReadonlyArray<Case> = [() => Sizes.retention(1_000_000, "stretch of 20 ms"), ...Stretches.rows]

const help = `
\`x\` is how many times as fast as raw better-sqlite3 in this run, synchronous = FULL, one commit a message.
\`CPU\` is how many times the CPU time of what it is measured against; less is better.`

const measure = async (): Promise<void> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      compare: { type: "string" },
      long: { type: "boolean", default: false },
      out: { type: "string" },
      peers: { type: "boolean", default: false },
      scale: { type: "boolean", default: false },
      table: { type: "boolean", default: false }
    }
  })
  if (values.peers) Peers.install()
  const arePeersThere = Peers.areInstalled()
  if (!arePeersThere && !values.scale)
    console.log("The AI SDK and LangGraph are not installed: `npm run bench -- --peers` does it.")
  const all = values.scale
    ? Scale.rows
    : [...cases, ...(arePeersThere ? besidePeers : []), ...(values.long ? long : [])]
  const places = positionals.map(Number)
  const rows: Array<Row> = []
  for (const [place, one] of all.entries()) {
    if (places.length > 0 && !places.includes(place + 1)) continue
    const row = await one()
    rows.push(row)
    console.log(`${String(place + 1).padStart(2)}  ${Report.line(row)}`)
  }
  if (!values.scale) console.log(help)
  Report.write(values.out ?? `test/bench/${values.scale ? "scale" : "results"}.json`, rows)
  if (values.compare !== undefined) for (const line of Report.compare(values.compare, rows)) console.log(line)
  if (values.table) Report.fill(`test/bench/${values.scale ? "scale" : "README"}.md`, rows)
}

const [, , first, given] = process.argv
if (first === "worker" && given !== undefined) await Worker.run(given)
else if (first === "crowd" && given !== undefined) await Crowd.run(given)
else if (first === "runner" && given !== undefined) ScaleWorker.run(given)
else await measure()
