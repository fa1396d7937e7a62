/**
 * Scripted tools for tests of an agent: results, failures, calls that wait at a gate or never end, and a record of the
 * calls. They have the names of the agent's own tools, so its prompts, policies and scripted models see no difference.
 *
 * Not guaranteed: that an input matches the schema of the real tool; any JSON object is accepted. Concurrent calls of
 * one tool take its outcomes in the order in which they begin. If that matters, decide the outcome by the input.
 */
import { Context, Effect, Exit, Layer, Ref, Schema } from "effect"
import type { JsonRecord } from "../../domain/Json.js"
import type { CallId } from "../../domain/Message.js"
import type { Access } from "../../domain/Permission.js"
import * as Tool from "../../services/Tool.js"
import * as Gate from "./Gate.js"

/** The outcome of a call. */
export type Outcome =
  /** A text, or a value that is encoded as JSON. */
  | { readonly _tag: "Succeeds"; readonly output: unknown }
  /** The tool fails with this message for the model. */
  | { readonly _tag: "Fails"; readonly message: string }
  /** The tool dies, as with an unexpected exception. */
  | { readonly _tag: "Dies"; readonly defect: unknown }
  | { readonly _tag: "Hangs" }
  /** The call waits at this gate first. */
  | { readonly _tag: "Waits"; readonly gate: string; readonly outcome: Outcome }

/** The call returns this. */
export const succeed = (output: unknown): Outcome => ({ _tag: "Succeeds", output })
/** The call fails with this message. */
export const fail = (message: string): Outcome => ({ _tag: "Fails", message })
/** The call dies with this defect. */
export const die = (defect: unknown): Outcome => ({ _tag: "Dies", defect })
/** The call ends only when its run is cancelled or its time limit passes. */
export const hang: Outcome = { _tag: "Hangs" }
/** The call waits at a gate until the test opens it, then has `outcome`. */
export const afterGate = (gate: string, outcome: Outcome): Outcome => ({ _tag: "Waits", gate, outcome })

/** The scripted failure of a tool. */
export class ScriptedFailure extends Schema.TaggedError<ScriptedFailure>()("ScriptedFailure", {
  tool: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A recorded call. */
export interface CallRecord {
  readonly tool: string
  readonly input: JsonRecord
  readonly callId: CallId
  /** `interrupted` when its run was cancelled or its time limit passed. */
  readonly state: "running" | "succeeded" | "failed" | "interrupted"
}

/** A tool, or anything with its name. */
interface NamedTool {
  readonly name: string
}

/** The script of a test's tools, and the record of their calls. */
export interface Service {
  /** Adds outcomes for the next calls of a tool, one for each call. */
  readonly play: (tool: NamedTool | string, ...outcomes: ReadonlyArray<Outcome>) => Effect.Effect<void>
  /**
   * Decides the outcome of a call by its input when `play` has none left. Without it, such a call fails with a message
   * that says so.
   */
  readonly answer: (tool: NamedTool | string, by: (input: JsonRecord) => Outcome) => Effect.Effect<void>
  /** The calls that have begun, oldest first, of one tool or of all. */
  readonly calls: (tool?: NamedTool | string) => Effect.Effect<ReadonlyArray<CallRecord>>
  /** The gates of `afterGate`. */
  readonly gate: Gate.Gate
  /** Performs the outcome that was played for a call, as the handlers of `tools` do. */
  readonly enact: (tool: string, input: JsonRecord) => Effect.Effect<unknown, ScriptedFailure, Tool.Call>
}

/** The scripted tools, as a service for tests. */
export class ScriptedToolbox extends Context.Tag("skein/ScriptedToolbox")<ScriptedToolbox, Service>() {}

/** The description of a scripted tool. */
export interface Part extends NamedTool {
  readonly description?: string
  /** Defaults to "write", for which the default policy asks a question. */
  readonly access?: Access
  readonly inputSchema?: Readonly<Record<string, unknown>>
}

interface State {
  readonly waiting: ReadonlyMap<string, ReadonlyArray<Outcome>>
  readonly answers: ReadonlyMap<string, (input: JsonRecord) => Outcome>
  readonly calls: ReadonlyArray<CallRecord>
}

const nameOf = (tool: NamedTool | string): string => (typeof tool === "string" ? tool : tool.name)

const begin =
  (call: CallRecord) =>
  (state: State): readonly [Outcome, State] => {
    const [next, ...waiting] = state.waiting.get(call.tool) ?? []
    const outcome = next ?? state.answers.get(call.tool)?.(call.input) ?? fail(`no outcome was played for ${call.tool}`)
    return [
      outcome,
      { ...state, waiting: new Map([...state.waiting, [call.tool, waiting]]), calls: [...state.calls, call] }
    ]
  }

const end =
  (callId: CallId, ended: CallRecord["state"]) =>
  (state: State): State => ({
    ...state,
    calls: state.calls.map((call) => (call.callId === callId ? { ...call, state: ended } : call))
  })

const make = Effect.gen(function* () {
  const state = yield* Ref.make<State>({ waiting: new Map(), answers: new Map(), calls: [] })
  const gate = yield* Gate.make

  const outcomeOf = (tool: string, outcome: Outcome): Effect.Effect<unknown, ScriptedFailure> => {
    switch (outcome._tag) {
      case "Succeeds":
        return Effect.succeed(outcome.output)
      case "Fails":
        return new ScriptedFailure({ tool, detail: outcome.message })
      case "Dies":
        return Effect.die(outcome.defect)
      case "Hangs":
        return Effect.never
      case "Waits":
        return Effect.zipRight(gate.pass(outcome.gate), outcomeOf(tool, outcome.outcome))
    }
  }

  const enact = (tool: string, input: JsonRecord) =>
    Effect.gen(function* () {
      const { callId } = yield* Tool.Call
      const outcome = yield* Ref.modify(state, begin({ tool, input, callId, state: "running" }))
      return yield* outcomeOf(tool, outcome).pipe(
        Effect.onExit((exit) =>
          Ref.update(
            state,
            end(callId, Exit.isSuccess(exit) ? "succeeded" : Exit.isInterrupted(exit) ? "interrupted" : "failed")
          )
        )
      )
    })

  const service: Service = {
    play: (tool, ...outcomes) =>
      Ref.update(state, (before) => {
        const waiting = [...(before.waiting.get(nameOf(tool)) ?? []), ...outcomes]
        return { ...before, waiting: new Map([...before.waiting, [nameOf(tool), waiting]]) }
      }),
    answer: (tool, by) =>
      Ref.update(state, (before) => ({ ...before, answers: new Map([...before.answers, [nameOf(tool), by]]) })),
    calls: (tool) =>
      Effect.map(Ref.get(state), ({ calls }) =>
        tool === undefined ? calls : calls.filter((call) => call.tool === nameOf(tool))
      ),
    gate,
    enact
  }
  return service
})

/** Provides the script of the tools and the record of their calls. */
export const layer: Layer.Layer<ScriptedToolbox> = Layer.effect(ScriptedToolbox, make)

/**
 * Makes scripted tools, each from a name, a description, or one of the agent's own tools. From an agent's own tool it
 * takes the name, description, access and input schema, and ignores the handler.
 */
export const tools = (
  ...parts: ReadonlyArray<Part | string>
): ReadonlyArray<Tool.Tool<string, JsonRecord, unknown, ScriptedFailure, ScriptedToolbox>> =>
  parts.map((part) => {
    const {
      access = "write",
      description = "",
      inputSchema = { type: "object" },
      name
    } = typeof part === "string" ? { name: part } : part
    return Tool.dynamic(name, { access, description, inputSchema }).handle((input) =>
      Effect.flatMap(ScriptedToolbox, (scripted) => scripted.enact(name, input))
    )
  })
