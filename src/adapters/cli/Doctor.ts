/** Checks a data folder or repairs it, and prints a line for each finding. Fails when damage remains. */
import { Effect, Layer } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import * as Doctor from "../sqlite/doctor/Doctor.js"
import { Unhealthy } from "./Failure.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Maintenance.js"

export interface Input {
  readonly repair: boolean
  readonly data: string | null
}

const render = ({ isRepairable, kind, text, what, where }: Doctor.Outcome): string => {
  const repair = kind === "damage" && isRepairable ? Texts.repair(text) : text
  return TerminalText.line(`${kind.padEnd(8)} ${where}: ${what}; ${repair}`)
}

export const run = Effect.fn("cli.doctor")(
  function* (input: Input) {
    const screen = yield* Screen
    const data = yield* DataFolder.data(yield* DataFolder.host, input.data ?? undefined)
    const outcomes = yield* input.repair ? Doctor.repair(data) : Doctor.look(data)
    for (const outcome of outcomes) yield* screen.write(`${render(outcome)}\n`)
    const damaged = outcomes.filter(({ kind }) => kind === "damage")
    if (damaged.length === 0) return yield* screen.write(`${Texts.healthy(TerminalText.line(data))}\n`)
    const repairable = damaged.filter(({ isRepairable }) => isRepairable).length
    return yield* new Unhealthy({ path: data, damaged: damaged.length, repairable })
  },
  Effect.provide(Layer.fresh(Identity.layer))
)
