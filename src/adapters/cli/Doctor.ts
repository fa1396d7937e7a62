/** Looks at a data folder or repairs it, a line for each finding. Fails when something is wrong at the end. */
import { Effect, Layer, Option, Schema } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import * as Doctor from "../sqlite/doctor/Doctor.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"

export interface Input {
  readonly repair: boolean
  readonly data: Option.Option<string>
}

/** Something is wrong with what is stored. */
export class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", {
  path: Schema.String,
  damaged: Schema.Int,
  repairable: Schema.Int
}) {
  override get message() {
    const things = this.damaged === 1 ? "1 thing is" : `${this.damaged} things are`
    const help =
      this.repairable === 0 ? "" : `; skein doctor --repair takes care of ${this.repairable}. Copy the folder first`
    return `${things} wrong with ${this.path}${help}`
  }
}

const render = ({ isRepairable, kind, text, what, where }: Doctor.Outcome): string => {
  const would = kind === "damage" && isRepairable ? "with --repair: " : ""
  return TerminalText.line(`${kind.padEnd(8)} ${where}: ${what}; ${would}${text}`)
}

export const run = Effect.fn("cli.doctor")(
  function* (input: Input) {
    const screen = yield* Screen
    const data = yield* DataFolder.data(yield* DataFolder.host, Option.getOrUndefined(input.data))
    const outcomes = yield* input.repair ? Doctor.repair(data) : Doctor.look(data)
    for (const outcome of outcomes) yield* screen.write(`${render(outcome)}\n`)
    const damaged = outcomes.filter(({ kind }) => kind === "damage")
    if (damaged.length === 0) return yield* screen.write(`Nothing is wrong with ${TerminalText.line(data)}\n`)
    const repairable = damaged.filter(({ isRepairable }) => isRepairable).length
    return yield* new Unhealthy({ path: data, damaged: damaged.length, repairable })
  },
  Effect.provide(Layer.fresh(Identity.layer))
)
