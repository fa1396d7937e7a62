/**
 * The agent of engines under torture: a model that asks for whatever the dice say, and a tool that leaves files for
 * each call: `entered` before its work, `left` after it. Each of these files can be created only once.
 */
import { Effect, Layer, Schema, Stream } from "effect"
import { closeSync, mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import type { CallId } from "../../../src/domain/Message.js"
import * as Usage from "../../../src/domain/Usage.js"
import type { View } from "../../../src/domain/View.js"
import { Agents, Model, Permissions, Tool } from "../../../src/index.js"
import { complaints } from "../../support/verdicts/providerRules.js"
import type { Dice } from "../../support/verdicts/Dice.js"
import { callsOf } from "./Folders.js"

export interface Stage {
  /** The folder of the case. */
  readonly folder: string
  readonly dice: Dice
  readonly calls: {
    /** The least and the most calls that a step asks for. */
    readonly least: number
    readonly most: number
    /** How many steps of a turn ask for calls. */
    readonly steps: number
    /** What calls do: drawn by chance, or in the order of a step's calls. */
    readonly behaviours: ReadonlyArray<Behaviour>
    readonly inOrder: boolean
  }
  readonly cross: (point: "model asked" | "tool entered" | "tool left") => void
  readonly breach: (text: string) => void
}

const Behaviour = Schema.Literal("quick", "slow", "fail", "big", "ask")
type Behaviour = typeof Behaviour.Type

export const behaviours = Behaviour.literals

/** How many characters of a result the model is shown; `big` returns more. */
export const resultCharacters = 2_000

/** Creates a file that must not exist yet; returns whether it did. */
const leave = (folder: string, name: string): boolean => {
  try {
    closeSync(openSync(join(callsOf(folder), name), "wx"))
    return true
  } catch {
    return false
  }
}

const enter = ({ breach, cross, folder }: Stage, callId: CallId): void => {
  if (!leave(folder, `${callId}.entered`)) {
    leave(folder, `${callId}.twice`)
    breach(`P5: call ${callId} was run twice`)
  }
  cross("tool entered")
}

const work = (stage: Stage) =>
  Tool.make("work", {
    description: "Does what it is told.",
    input: { behaviour: Behaviour, key: Schema.String, millis: Schema.Int }
  }).handle(
    Effect.fnUntraced(function* ({ behaviour, millis }) {
      const { callId } = yield* Tool.Call
      enter(stage, callId)
      if (behaviour !== "quick") yield* Effect.sleep(millis)
      leave(stage.folder, `${callId}.left`)
      stage.cross("tool left")
      if (behaviour === "fail") return yield* Effect.fail(new Error("it failed"))
      return behaviour === "big" ? `${callId} `.repeat(resultCharacters / 10) : `done ${callId}`
    }),
    { key: ({ key, millis }) => (key === "" ? `alone-${millis}` : key) }
  )

const callOf = ({ calls, dice }: Stage, index: number): ReadonlyArray<Model.Part> => {
  const behaviour = (calls.inOrder ? calls.behaviours[index] : undefined) ?? dice.pick(calls.behaviours)
  const input = JSON.stringify({ behaviour, key: dice.pick(["", "", "a"]), millis: 1 + dice.below(20) })
  return [{ type: "call", index, name: "work", input, providerCallId: `call_${dice.below(3)}` }]
}

/** How many steps of the newest turn have asked for calls. */
const stepsOf = (view: View): number =>
  view.slice(view.findLastIndex(({ role }) => role === "user")).filter(({ role }) => role === "tool").length

const model = (stage: Stage): Model.Model => ({
  provider: "dice",
  model: "dice",
  contextTokens: null,
  step: ({ view }) =>
    Stream.suspend(() => {
      const { calls, cross, dice } = stage
      cross("model asked")
      for (const complaint of complaints(view)) stage.breach(`P4: no provider accepts the view: ${complaint}`)
      const wanted = stepsOf(view) < calls.steps ? calls.least + dice.below(calls.most - calls.least + 1) : 0
      const parts: ReadonlyArray<Model.Part> = [
        { type: "text", id: "t", delta: `words ${dice.below(1_000)} ` },
        ...Array.from({ length: wanted }, (_, index) => callOf(stage, index)).flat(),
        { type: "finish", reason: wanted > 0 ? "tool-calls" : "stop", usage: Usage.unknown }
      ]
      return Stream.fromIterable(parts).pipe(
        Stream.tap(() => (dice.chance(0.2) ? Effect.sleep(dice.below(5)) : Effect.void))
      )
    })
})

const policy: Permissions.Policy = ({ input }) =>
  Effect.succeed(input.includes('"ask"') ? Permissions.ask : Permissions.allow)

/** The agent. */
export const layer = (stage: Stage) => {
  mkdirSync(callsOf(stage.folder), { recursive: true })
  return Layer.orDie(Agents.layer({ models: Model.always(model(stage)), tools: [work(stage)], policy }))
}
