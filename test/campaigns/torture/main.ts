/**
 * `npm run torture -- [--kills N] [--from SEED] [--processes K] [--script open|small|full] [--spread M]`: kills
 * processes N times, up to K at the same time on one database: first a single process at each point of a script, M of
 * each kind spread over it, then at random. `--point NAME --at PLACE` kills at a single point. Prints what breaks a
 * promise, with the command that plays it again. With the script `open`, a process only opens the database.
 */
import { Effect } from "effect"
import * as Points from "./Points.js"
import * as Torture from "./Torture.js"

const option = (name: string): string | undefined => {
  const place = process.argv.indexOf(`--${name}`)
  return place === -1 ? undefined : process.argv[place + 1]
}
const number = (name: string, otherwise: number): number => Number(option(name) ?? otherwise)

const kills = number("kills", 300)
const from = number("from", 1)
const processes = number("processes", 3)
const most = number("spread", 6)
const script = (["open", "small", "full"] as const).find((script) => script === option("script")) ?? "full"
const point = option("point")

let killed = 0
let failed = 0
let cases = 0

const play = (plan: Torture.Plan) =>
  Effect.map(Torture.play(plan), ({ crossed, failure, kills }) => {
    cases++
    killed += kills
    if (failure !== null) {
      failed++
      console.log(`seed ${plan.seed}: ${failure}\n  ${plan.command}`)
    }
    return crossed
  })

const atPoint = (point: Points.Point) => play(Torture.at(from, script, point))

const atPoints = Effect.gen(function* () {
  const crossed = yield* play(Torture.dry(from, script))
  const pointsOf = (each: number) =>
    Object.entries(crossed).flatMap(([name, times]) => Torture.spread(name, times, each))
  let each = most
  // Half of the kills are at random instants, unless the script has none of these.
  while (script === "full" && each > 0 && pointsOf(each).length * 2 > kills) each--
  const wanted = kills === 0 ? [] : pointsOf(each)
  yield* Effect.forEach(wanted, atPoint, { concurrency: 2, discard: true })
  console.log(`${killed} kills at ${wanted.length} points of ${Object.keys(crossed).length} kinds, ${failed} failed`)
})

const atRandom = Effect.gen(function* () {
  let seed = from
  const worker = Effect.gen(function* () {
    while (killed < kills) yield* play(Torture.random(seed++, processes))
  })
  yield* Effect.all([worker, worker], { concurrency: 2, discard: true })
})

if (!Points.canCountCalls) console.log("no C compiler: points of system calls are left out")

await Effect.runPromise(
  point !== undefined
    ? Effect.asVoid(atPoint({ name: point, at: number("at", 1) }))
    : Effect.zipRight(most > 0 ? atPoints : Effect.void, kills > 0 && script === "full" ? atRandom : Effect.void)
)
console.log(`${killed} kills in ${cases} cases, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
