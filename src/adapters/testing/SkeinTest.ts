/**
 * A whole engine for tests of tools and agents: nothing on disk, no network, and a model that plays the test's script.
 * Everything else is real: the same Runtime, the same rules.
 */
import { Chunk, Effect, Layer, Stream } from "effect"
import type * as Inquiry from "../../domain/Inquiry.js"
import type { JsonRecord } from "../../domain/Json.js"
import type { DuplicateTool, InvalidInput } from "../../domain/SkeinError.js"
import { CallId, type ResultMessage } from "../../domain/Message.js"
import { RunId, type Ref } from "../../domain/Run.js"
import { Owner, SessionId } from "../../domain/Session.js"
import * as Agents from "../../services/Agents.js"
import * as Assets from "../../services/assets/Assets.js"
import * as EngineConfig from "../../services/EngineConfig.js"
import * as Engine from "../../services/Engine.js"
import { isolated } from "../../services/Isolated.js"
import * as EventSignals from "../../services/storage/EventSignals.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as MemoryFiles from "../../services/assets/MemoryFiles.js"
import * as MemoryStorage from "../../services/storage/memory/MemoryStorage.js"
import * as ScriptedModel from "../../services/ScriptedModel.js"
import * as Tool from "../../services/Tool.js"
import * as Identity from "../node/Identity.js"
import * as NodeHashing from "../node/NodeHashing.js"
import * as Quiescence from "./Quiescence.js"

/**
 * Makes a new engine for your agent on each call, with a scripted model instead of the agent's own and with nothing on
 * disk. The end of a test does not wait for a run that is still live: `drainMillis` defaults to 0. `Quiescence.idle`
 * waits until the engine does nothing more by itself.
 */
export const layer = <const Tools extends ReadonlyArray<Tool.Any> = readonly [], R = never>(
  agent: Agents.Parts<Tools, R>,
  options: EngineConfig.Options = {}
): Layer.Layer<
  Gateway | ScriptedModel.ScriptedModel,
  DuplicateTool | InvalidInput,
  R | Tool.Requirements<Tools[number]>
> =>
  isolated(
    Engine.layer.pipe(
      Layer.provide(Agents.layer({ ...agent, models: ScriptedModel.models })),
      Layer.provide(Assets.layer),
      Layer.provide([MemoryStorage.layer, MemoryFiles.layer]),
      Layer.provide([EventSignals.layer, Identity.layer, NodeHashing.layer]),
      Layer.provideMerge(ScriptedModel.layer),
      Layer.provide(EngineConfig.layer({ drainMillis: 0, ...options })),
      Layer.provide(Quiescence.layer)
    )
  )

/** Returns the results of a run's calls as the transcript has them: in the order in which the model asked. */
export const results = Effect.fn("SkeinTest.results")(function* (ref: Ref) {
  const gateway = yield* Gateway
  const entries = yield* Stream.runCollect(gateway.transcript({ sessionId: ref.sessionId }))
  return Chunk.toReadonlyArray(entries).flatMap(({ message, runId }): ReadonlyArray<ResultMessage> =>
    runId === ref.runId && message.role === "tool" ? [message] : []
  )
})

/** The call that the tool sees. */
export interface CallOptions {
  readonly metadata?: JsonRecord
  readonly owner?: string
  /** Defaults to "/". */
  readonly workdir?: string
  /** Called with each progress text of the tool. */
  readonly onProgress?: (text: string) => Effect.Effect<void>
  /** Answers what the tool asks. Defaults to declining. */
  readonly onAsk?: (inquiry: Inquiry.Inquiry) => Effect.Effect<Inquiry.Reply>
}

/** Runs one tool alone, with an input as a model would write it. */
export const call = <Name extends string, Input, Output, E, R>(
  tool: Tool.Tool<Name, Input, Output, E, R>,
  input: NoInfer<Input>,
  options: CallOptions = {}
): Effect.Effect<Output, E | Tool.InputInvalid, Exclude<R | Tool.Call, Tool.Call>> =>
  Effect.provideService(tool.invoke(input), Tool.Call, {
    sessionId: SessionId.make("test"),
    runId: RunId.make("test"),
    callId: CallId.make("test"),
    fence: 1,
    owner: options.owner === undefined ? null : Owner.make(options.owner),
    workdir: options.workdir ?? "/",
    metadata: options.metadata ?? {},
    progress: options.onProgress ?? (() => Effect.void),
    ask: options.onAsk ?? (() => Effect.succeed({ _tag: "Declined", message: null }))
  })
