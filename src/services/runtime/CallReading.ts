/**
 * Reads a call's input: which tool it names, what the tool makes of the input, and the key that the call queues under.
 * Nothing has started. Whatever is wrong, a tool's own defect too, becomes the call's result.
 */
import { Cause, type Context, Duration, Effect, Exit, Option } from "effect"
import * as Live from "../../domain/Live.js"
import type { CallPart, Outcome } from "../../domain/Message.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Tool from "../Tool.js"
import { Toolbox } from "../Toolbox.js"
import type { RunContext } from "./CallRun.js"
import * as Gathering from "./Gathering.js"
import * as HandlerResult from "./HandlerResult.js"
import { LiveRuns } from "./LiveRuns.js"

/** A call that cannot run, and the result that says why. */
export interface RefusedCall {
  readonly _tag: "Refused"
  readonly result: HandlerResult.HandlerResult
}

/** A call that its tool understands. */
export interface AcceptedCall {
  readonly _tag: "Accepted"
  readonly tool: Tool.Runnable<Tool.Call>
  readonly prepared: Tool.PreparedCall<Tool.Call>
}

export type CallReading = RefusedCall | AcceptedCall

const refused = (outcome: Outcome, text: string): RefusedCall => ({
  _tag: "Refused",
  result: HandlerResult.make(outcome, text)
})

const always = () => true

export const make = Effect.gen(function* () {
  const { tools } = yield* Toolbox
  const { toolTimeoutMillis } = yield* EngineConfig
  const live = yield* LiveRuns

  const limitOf = (tool: Tool.Runnable<Tool.Call>): Duration.Duration =>
    tool.timeout ?? Duration.millis(toolTimeoutMillis)

  /** What a handler knows of its call. Progress is dropped once `isHeard` says no. */
  const toolCall = (
    { run, session }: RunContext,
    { callId }: CallPart,
    isHeard: () => boolean
  ): Context.Tag.Service<typeof Tool.Call> => ({
    sessionId: session.id,
    runId: run.id,
    callId,
    owner: session.owner,
    workdir: session.workdir,
    metadata: run.metadata,
    progress: (text) => live.update(session.id, (now) => (isHeard() ? Live.setProgress(now, callId, text) : now))
  })

  const readOne = Effect.fnUntraced(function* (context: RunContext, part: CallPart) {
    const tool = tools.get(part.name)
    if (tool === undefined) {
      const names = [...tools.keys()].join(", ")
      const known = names === "" ? "There are none." : `Tools: ${names}`
      return refused("unknown-tool", `There is no tool ${part.name}. ${known}`)
    }
    const exit = yield* tool
      .prepare(part.input)
      .pipe(
        Effect.provideService(Tool.Call, toolCall(context, part, always)),
        Effect.disconnect,
        Effect.timeoutOption(limitOf(tool)),
        Effect.exit
      )
    if (Exit.isSuccess(exit)) {
      return Option.isSome(exit.value)
        ? ({ _tag: "Accepted", tool, prepared: exit.value.value } satisfies AcceptedCall)
        : refused("timeout", "Reading the call's input took too long; it was not run.")
    }
    const failure = Cause.failureOption(exit.cause)
    if (Option.isSome(failure)) return refused("invalid-input", failure.value.message)
    const defect = HandlerResult.describe(Cause.squash(exit.cause))
    return refused("defect", `The tool broke while it read its input: ${defect}`)
  })

  /** Reads the inputs of a batch's calls, unless there is a reason to run none of them. */
  const readAll = (
    context: RunContext,
    parts: ReadonlyArray<CallPart>,
    reasonNotToRun: string | null
  ): Effect.Effect<ReadonlyArray<CallReading>> =>
    reasonNotToRun === null
      ? Gathering.all(parts.map((part) => readOne(context, part)))
      : Effect.succeed(parts.map(() => refused("never-started", reasonNotToRun)))

  return { limitOf, readAll, toolCall }
})
