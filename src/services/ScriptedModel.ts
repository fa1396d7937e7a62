/**
 * A model that plays prewritten steps, for demonstrations and tests. It uses no network, and no clock except for a
 * step's own `delayMillis`.
 *
 * `make` plays a whole script. The view alone decides which step comes: step number k for a view with k assistant
 * items, so a script goes on in another process and after a crash. A failed step that left no message is played again.
 *
 * `ScriptedModel` is a queue for tests: each request takes the next step in it, whichever session asks, and a retry
 * takes the step after that.
 */
import { Context, Effect, Layer, Ref, Stream } from "effect"
import type * as Script from "../domain/Script.js"
import type { JsonRecord } from "../domain/Json.js"
import { ModelFailed } from "../domain/SkeinError.js"
import { only } from "../domain/Offer.js"
import * as Usage from "../domain/Usage.js"
import type { Model, Models, Part, StepRequest } from "./Model.js"

/** A queue of steps to play, and the requests so far. */
export interface Service {
  /** Adds steps to the queue. */
  readonly play: (...steps: ReadonlyArray<Script.Step>) => Effect.Effect<void>
  /** What the model was asked, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<StepRequest>>
  /** The model that plays them. */
  readonly model: Model
}

/** The queue, as a service of tests. */
export class ScriptedModel extends Context.Tag("skein/ScriptedModel")<ScriptedModel, Service>() {}

const provider = "script"

/** Makes a model that plays `script`. `name` is the model's name, such as that of the script's file. */
export const make = (script: Script.Script, name = "script"): Model => ({
  provider,
  model: name,
  contextTokens: null,
  step: (request) => {
    const number = request.view.filter((item) => item.role === "assistant").length
    return play(name, script[number], `the script has no step ${number + 1}`)
  }
})

interface Reel {
  readonly waiting: ReadonlyArray<Script.Step>
  readonly requests: ReadonlyArray<StepRequest>
}

const next = (reel: Reel, request: StepRequest): readonly [Script.Step | undefined, Reel] => [
  reel.waiting[0],
  { waiting: reel.waiting.slice(1), requests: [...reel.requests, request] }
]

/** The queue. */
export const layer: Layer.Layer<ScriptedModel> = Layer.effect(
  ScriptedModel,
  Effect.gen(function* () {
    const reel = yield* Ref.make<Reel>({ waiting: [], requests: [] })
    const model: Model = {
      provider,
      model: "queue",
      contextTokens: null,
      takesFilesInResults: true,
      step: (request) =>
        Ref.modify(reel, (before) => {
          const [step, after] = next(before, request)
          return [play("queue", step, `no step was played for request ${after.requests.length}`), after]
        }).pipe(Stream.unwrap)
    }
    return {
      model,
      play: (...steps) => Ref.update(reel, (before) => ({ ...before, waiting: [...before.waiting, ...steps] })),
      requests: Effect.map(Ref.get(reel), ({ requests }) => requests)
    }
  })
)

/** The models of an agent that plays from the queue, whatever model a session names. */
export const models: Effect.Effect<Models, never, ScriptedModel> = Effect.map(ScriptedModel, ({ model }) => ({
  resolve: () => Effect.succeed(model),
  offered: [only(model)]
}))

/** A step that writes a text. */
export const text = (deltas: string | ReadonlyArray<string>): Script.Step => ({ text: deltas })

/** A step that only thinks. */
export const reasoning = (deltas: string | ReadonlyArray<string>): Script.Step => ({ reasoning: deltas })

/** A step that asks for calls. */
export const calls = (...calls: ReadonlyArray<Script.Call>): Script.Step => ({ calls })

/** A step that fails before it writes anything. */
export const fail = (reason: ModelFailed["reason"]): Script.Step => ({ failure: { reason } })

/** A step that never ends. */
export const hang: Script.Step = { hang: true }

/** The input of a tool; any input where only the tool's name is known. */
export type InputOf<T> = T extends { readonly invoke: (input: infer Input) => unknown } ? Input : JsonRecord | string

/** A call of `tool`, with its input as the model would write it. */
export const call = <T extends { readonly name: string }>(tool: T, input: InputOf<T>): Script.Call => ({
  name: tool.name,
  input: typeof input === "string" ? input : JSON.stringify(input)
})

const play = (model: string, step: Script.Step | undefined, missing: string): Stream.Stream<Part, ModelFailed> => {
  if (step === undefined) return Stream.fail(failed(model, { reason: "rejected", detail: missing }))
  const { delayMillis } = step
  const written = Stream.fromIterable(partsOf(step))
  return Stream.concat(
    delayMillis === undefined ? written : Stream.tap(written, () => Effect.sleep(delayMillis)),
    ending(model, step)
  )
}

const ending = (model: string, step: Script.Step): Stream.Stream<Part, ModelFailed> => {
  if (step.failure !== undefined) return Stream.fail(failed(model, step.failure))
  if (step.hang === true) return Stream.never
  const reason = step.finish ?? ((step.calls ?? []).length > 0 ? "tool-calls" : "stop")
  const finish: Part = { type: "finish", reason, usage: { ...Usage.unknown, ...step.usage } }
  return Stream.succeed(finish)
}

const failed = (model: string, failure: Script.Failure): ModelFailed =>
  new ModelFailed({
    model: `${provider}/${model}`,
    reason: failure.reason,
    status: failure.status ?? null,
    retryAfterMillis: failure.retryAfterMillis ?? null,
    detail: failure.detail ?? "as scripted"
  })

const partsOf = (step: Script.Step): ReadonlyArray<Part> => [
  ...deltasOf(step.reasoning).map((delta): Part => ({ type: "reasoning", id: "reasoning", delta })),
  ...deltasOf(step.text).map((delta): Part => ({ type: "text", id: "text", delta })),
  ...(step.calls ?? []).flatMap(partsOfCall)
]

const partsOfCall = ({ input, name }: Script.Call, index: number): ReadonlyArray<Part> => {
  const raw = typeof input === "string" ? input : JSON.stringify(input)
  return [
    ...words(raw).map((delta): Part => ({ type: "call.delta", index, name, delta })),
    { type: "call", index, name, input: raw, providerCallId: `scripted_${index + 1}` }
  ]
}

const deltasOf = (deltas: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  typeof deltas === "string" ? words(deltas) : (deltas ?? [])

const words = (text: string): ReadonlyArray<string> => text.match(/\s*\S+|\s+$/gu) ?? []
