/**
 * One case: rounds of processes on one data folder, killed or told to end as the plan says, or ending by themselves.
 * After each round the folder is copied twice and reopened, once to resume and once for new messages; the next round
 * goes on in the folder itself. What is broken is reported; the same seed plays the same plan again.
 */
import { Cause, Effect, Exit, Option, Ref, Schema } from "effect"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../support/programs/Bundle.js"
import { start } from "../../support/programs/Process.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import * as NoAlarm from "../../support/verdicts/NoAlarm.js"
import * as Dice from "../../support/verdicts/Dice.js"
import * as Patience from "../../support/verdicts/Patience.js"
import * as Ledger from "./Ledger.js"
import * as Points from "./Points.js"
import { Line, Setup } from "./Protocol.js"
import * as Reopened from "./Reopened.js"
import * as Rows from "./Rows.js"

/**
 * What one process does, and how it ends: killed at a point; stopped from outside after some lines, by a kill or a
 * request; or by itself.
 */
export interface Life {
  readonly script: Setup["script"]
  readonly point: Points.Point | null
  readonly stop: { readonly lines: number; readonly signal: "SIGKILL" | "SIGTERM" } | null
}

export interface Plan {
  readonly seed: number
  /** The command that plays it again. */
  readonly command: string
  readonly rounds: ReadonlyArray<ReadonlyArray<Life>>
  /** After which rounds the folder is opened; after the other rounds only its rows are checked. */
  readonly opens: "each" | "last"
  /** How the user goes on, each way in a copy of the folder. */
  readonly ways: ReadonlyArray<Reopened.Way>
}

export interface Outcome {
  /** Null when every promise held. */
  readonly failure: string | null
  /** How many processes were killed or told to end. */
  readonly kills: number
  /** How often the first process crossed each point; without its own points if it was killed. */
  readonly crossed: Points.Counts
}

/** Also found from the bundle of `main.ts`. */
const programs = {
  opener: new URL("../../../test/campaigns/torture/opener.ts", import.meta.url),
  child: new URL("../../../test/campaigns/torture/child.ts", import.meta.url)
}

const program = (script: Life["script"]) =>
  bundle(script === "open" ? programs.opener : programs.child, { whole: true })

/** In memory where the system offers it: what a process wrote survives its death there as well. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "skein-torture-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const decode = Schema.decodeUnknownSync(Line)

interface End {
  /** Whether it was stopped before the end of its script. */
  readonly isStopped: boolean
  readonly crossed: Points.Counts
}

/** Runs one process to its end. */
const live = (folder: string, ledger: Ledger.Ledger, name: string, seed: number, place: number, life: Life) =>
  Effect.gen(function* () {
    const { point, script, stop } = life
    const own = point !== null && Points.isOwn(point.name) ? { name: point.name, at: point.at } : null
    const setup = Schema.encodeSync(Setup)({ folder, seed, place, script, point: own })
    const counts = join(folder, `${name}.counts`)
    const child = yield* start(process.execPath, [yield* program(script), setup], {
      env: { PATH: process.env["PATH"] ?? "", ...Points.environment(join(folder, "data"), counts, point) }
    })
    let crossed: Points.Counts = {}
    let isTold = false
    let hasEnded = false
    const ended = Effect.gen(function* () {
      for (let heard = 1; ; heard++) {
        const line = yield* child.line
        if (Option.isNone(line)) return yield* child.ended
        const said = decode(line.value)
        ledger.hear(name, said)
        if (said._tag === "Ended") {
          crossed = said.crossed
          hasEnded = true
        }
        if (heard !== stop?.lines || said._tag === "Ended") continue
        isTold = stop.signal === "SIGTERM"
        yield* child.signal(stop.signal)
      }
    })
    const { code, signal, stderr } = yield* Patience.wait(ended, {
      signs: () => `${ledger.heard()}`,
      during: () => `the end of ${name}`
    })
    // A signal that arrives after its last line finds no handler any more.
    const isOver = hasEnded && isTold && signal === "SIGTERM"
    if (signal !== "SIGKILL" && code !== 0 && !isOver)
      broken("torture", `${name} ended with ${code ?? signal}: ${stderr}`)
    return {
      isStopped: isTold || signal === "SIGKILL",
      crossed: { ...crossed, ...Points.crossed(counts) }
    } satisfies End
  }).pipe(Effect.scoped)

const reopen = (folder: string, ledger: Ledger.Ledger, way: Reopened.Way) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const copy = `${folder}-${way}`
      cpSync(folder, copy, { recursive: true })
      return copy
    }),
    (copy) => Reopened.check(copy, ledger, way),
    (copy) => Effect.sync(() => rmSync(copy, { recursive: true, force: true }))
  )

const played = ({ opens, rounds, seed, ways }: Plan, kills: Ref.Ref<number>) =>
  Effect.gen(function* () {
    const folder = join(yield* temporary, "case")
    mkdirSync(join(folder, "data"), { recursive: true })
    const ledger = Ledger.make()
    let crossed: Points.Counts = {}
    for (const [round, lives] of rounds.entries()) {
      const ends = yield* Effect.forEach(
        lives,
        (life, place) => live(folder, ledger, `${round}-${place}`, seed * 100 + round * 10 + place, place, life),
        { concurrency: "unbounded" }
      )
      crossed = ends[0]?.crossed ?? crossed
      yield* Ref.update(kills, (count) => count + ends.filter(({ isStopped }) => isStopped).length)
      if (ledger.breaches[0] !== undefined) return broken("reported by a process", ledger.breaches[0])
      Rows.look(folder)
      yield* NoAlarm.check(join(folder, "data"))
      if (opens === "last" && round < rounds.length - 1) continue
      yield* Effect.forEach(ways, (way) => reopen(folder, ledger, way))
    }
    return crossed
  }).pipe(Effect.scoped)

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? `${"_tag" in error ? `${String(error._tag)}: ` : ""}${error.message}` : String(error)
}

/** Plays a plan to its end, or until something is broken. */
export const play = (plan: Plan): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const kills = yield* Ref.make(0)
    const exit = yield* Effect.exit(played(plan, kills))
    return {
      failure: Exit.isFailure(exit) ? describe(exit.cause) : null,
      kills: yield* Ref.get(kills),
      crossed: Exit.isSuccess(exit) ? exit.value : {}
    }
  })

const both = ["resume", "message"] as const

const command = (options: string): string => `npm run torture -- ${options}`

/**
 * A script played by one process alone that is not killed: the points that it crosses are those at which it can be
 * killed.
 */
export const dry = (seed: number, script: Life["script"]): Plan => ({
  seed,
  command: command(`--from ${seed} --script ${script} --kills 0`),
  rounds: [[{ script, point: null, stop: null }]],
  opens: "each",
  ways: both
})

/** One process alone, killed at a point of its script. */
export const at = (seed: number, script: Life["script"], point: Points.Point): Plan => ({
  seed,
  command: command(`--from ${seed} --script ${script} --point "${point.name}" --at ${point.at}`),
  rounds: [[{ script, point, stop: null }]],
  opens: "each",
  ways: both
})

/** Processes that open one database, one after the other, each killed at the next point. */
export const opening = (points: ReadonlyArray<Points.Point>): Plan => ({
  seed: 1,
  command: command("--script open --spread 100 --kills 1000"),
  rounds: points.map((point) => [{ script: "open", point, stop: null }]),
  opens: "last",
  ways: both
})

/** At most `most` points of a name, evenly spread over all of its crossings. */
export const spread = (name: string, crossings: number, most: number): ReadonlyArray<Points.Point> => {
  const count = Math.min(crossings, most)
  return Array.from({ length: count }, (_, place) => ({
    name,
    at: 1 + Math.floor(((place + 0.5) * crossings) / count)
  }))
}

/** Roughly how often a full script crosses each point: a random kill is at one of these crossings. */
const usual: Points.Counts = {
  "commit before": 60,
  "commit after": 60,
  "statement before": 60,
  "model asked": 8,
  "tool entered": 10,
  "tool left": 10,
  "result told": 10,
  announced: 150,
  ...(Points.canCountCalls
    ? {
        "write before": 300,
        "write amid": 300,
        "sync after": 80,
        "open after": 20,
        "truncate before": 3,
        "rename before": 6,
        "rename after": 6,
        "unlink before": 8,
        "unlink after": 8,
        "mkdir after": 8,
        "rmdir before": 8,
        "rmdir after": 8
      }
    : {})
}

const dying = ({ below, chance, pick }: Dice.Dice, mayLive: boolean): Life => {
  const script = "full"
  if (mayLive && chance(0.2)) return { script, point: null, stop: null }
  if (chance(0.5)) {
    return { script, point: null, stop: { lines: 1 + below(150), signal: pick(["SIGKILL", "SIGTERM"]) } }
  }
  const name = pick(Object.keys(usual))
  return { script, stop: null, point: { name, at: 1 + below(usual[name] ?? 1) } }
}

/** Up to `processes` processes at the same time, killed wherever the seed says, in two or three rounds. */
export const random = (seed: number, processes: number): Plan => {
  const dice = Dice.make(seed)
  const rounds = Array.from({ length: 2 + dice.below(2) }, () =>
    Array.from({ length: 1 + dice.below(processes) }, (_, place) => dying(dice, place > 0))
  )
  const again = command(`--from ${seed} --kills 1 --processes ${processes} --spread 0`)
  return { seed, command: again, rounds, opens: "each", ways: both }
}
