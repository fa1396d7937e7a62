/**
 * Checks a data folder or repairs it, and prints a line for each finding. Fails when damage remains, and when a rebuilt
 * database has lost rows. A signal ends it at once: a check changes nothing, and each repair is whole or not begun.
 */
import { Effect, Layer } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import { CheckProgress } from "../sqlite/doctor/CheckProgress.js"
import * as Doctor from "../sqlite/doctor/Doctor.js"
import { isDamage } from "../sqlite/doctor/Finding.js"
import { isForRebuild } from "../sqlite/doctor/Repairs.js"
import { Incomplete, Unhealthy } from "./Failure.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Findings from "./texts/Findings.js"
import * as Texts from "./texts/Maintenance.js"

export interface Input {
  readonly repair: boolean
  readonly data: string | null
}

/** The check itself leaves the event loop no turn, in which the terminal could be drawn. */
const terminalServed = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

export const run = Effect.fn("cli.doctor")(
  function* (input: Input) {
    const screen = yield* Screen
    const data = yield* DataFolder.data(yield* DataFolder.host, input.data ?? undefined)
    const label = input.repair ? Texts.repairing : Texts.checking
    const outcomes = yield* Progress.during({ label, unit: Texts.sessions }, (report) =>
      Effect.provideService(input.repair ? Doctor.repair(data) : Doctor.look(data), CheckProgress, {
        report: (done, total) => Effect.zipRight(report(done, total), terminalServed)
      })
    )
    for (const outcome of outcomes) yield* screen.write(`${TerminalText.line(Findings.line(outcome))}\n`)
    const damaged = outcomes.filter(isDamage)
    const rebuilds = outcomes.flatMap((outcome) =>
      outcome._tag === "Repaired" && isForRebuild(outcome.finding) ? [outcome.repaired] : []
    )
    const lost = rebuilds.reduce((sum, { lost }) => sum + lost, 0)
    const sessions = rebuilds.flatMap(({ sessions }) => sessions.filter(({ lost }) => lost > 0)).length
    if (damaged.length === 0 && lost + sessions > 0) return yield* new Incomplete({ path: data, lost, sessions })
    if (damaged.length === 0) return yield* screen.write(`${Texts.healthy(TerminalText.line(data))}\n`)
    const repairable = damaged.filter((outcome) => outcome._tag === "Found" && outcome.isRepairable).length
    return yield* new Unhealthy({ path: data, damaged: damaged.length, repairable })
  },
  Effect.provide(Layer.fresh(Identity.layer))
)
