/**
 * Reads a call's input: which tool it names, what the tool makes of the input, and the key that the call queues under.
 * Nothing has started yet. Any error, even a tool's own defect, becomes the call's result.
 */
import { Cause, type Context, Duration, Effect, Exit, Option } from "effect"
import * as CallDisplay from "../../domain/CallDisplay.js"
import * as Live from "../../domain/Live.js"
import type { CallPart, Outcome } from "../../domain/Message.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Tool from "../Tool.js"
import * as Asking from "./Asking.js"
import * as AtOnce from "./AtOnce.js"
import type { RunContext } from "./CallRun.js"
import * as HandlerResult from "./HandlerResult.js"
import { LiveRuns } from "./LiveRuns.js"

/** A call that cannot run, and the result that says why. */
export interface RefusedCall {
  readonly _tag: "Refused"
  readonly display: CallDisplay.CallDisplay
  readonly result: HandlerResult.HandlerResult
}

/** A call that its tool understands. */
export interface AcceptedCall {
  readonly _tag: "Accepted"
  readonly display: CallDisplay.CallDisplay
  readonly tool: Tool.Runnable<Tool.Call>
  readonly prepared: Tool.PreparedCall<Tool.Call>
}

export type CallReading = RefusedCall | AcceptedCall

/** A tool that is reading its input. */
export interface BegunReading {
  readonly _tag: "Reading"
  readonly tool: Tool.Runnable<Tool.Call>
  readonly work: AtOnce.Work<Tool.PreparedCall<Tool.Call>, Tool.InputInvalid>
}

/** Whether the reading of an input is done. */
export const isRead = (begun: RefusedCall | BegunReading): boolean =>
  begun._tag === "Refused" || AtOnce.isDone(begun.work)

const refused = (outcome: Outcome, text: string, tool?: Tool.Runnable<Tool.Call>): RefusedCall => ({
  _tag: "Refused",
  display: { ...CallDisplay.none, kind: tool?.kind ?? CallDisplay.none.kind },
  result: HandlerResult.make(outcome, text)
})

const readingOf = (
  tool: Tool.Runnable<Tool.Call>,
  exit: Exit.Exit<Tool.PreparedCall<Tool.Call>, Tool.InputInvalid>
): CallReading => {
  if (Exit.isSuccess(exit)) {
    const { locations, title } = exit.value
    const display = CallDisplay.bounded({ kind: tool.kind, title, locations })
    return { _tag: "Accepted", display, tool, prepared: exit.value }
  }
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) return refused("invalid-input", failure.value.message, tool)
  const defect = HandlerResult.describe(Cause.squash(exit.cause))
  return refused("defect", `The tool broke while it read its input: ${defect}`, tool)
}

const always = () => true

export const make = Effect.gen(function* () {
  const { toolTimeoutMillis } = yield* EngineConfig
  const live = yield* LiveRuns

  const limitOf = (tool: Tool.Runnable<Tool.Call>): Duration.Duration =>
    tool.timeout ?? Duration.millis(toolTimeoutMillis)

  /** What a handler knows about its call, and how it asks people. Progress is dropped once `isHeard` returns false. */
  const toolCall = (
    { lease, run, session }: RunContext,
    { callId }: CallPart,
    ask: Asking.Ask,
    isHeard: () => boolean
  ): Context.Tag.Service<typeof Tool.Call> => ({
    sessionId: session.id,
    runId: run.id,
    callId,
    fence: lease.fence,
    owner: session.owner,
    workdir: session.workdir,
    metadata: run.metadata,
    ask,
    progress: (text) => live.update(session.id, (now) => (isHeard() ? Live.setProgress(now, callId, text) : now))
  })

  const unknownTool = ({ agent }: RunContext, name: string): RefusedCall => {
    const names = [...agent.toolbox.tools.keys()].join(", ")
    const known = names === "" ? "There are none." : `Tools: ${names}`
    const what = name === "" ? "The call names no tool." : `There is no tool ${name}.`
    return refused("unknown-tool", `${what} ${known}`)
  }

  /** Begins to read a call's input, unless there is a reason not to run the call. */
  const begin = (
    context: RunContext,
    part: CallPart,
    reasonNotToRun: string | null
  ): Effect.Effect<RefusedCall | BegunReading> => {
    const tool = context.agent.toolbox.tools.get(part.name)
    if (reasonNotToRun !== null) return Effect.succeed(refused("never-started", reasonNotToRun, tool))
    if (tool === undefined) return Effect.succeed(unknownTool(context, part.name))
    const work = AtOnce.begin(
      () => tool.prepare(part.input),
      Effect.provideService(Tool.Call, toolCall(context, part, Asking.tooEarly, always))
    )
    return Effect.map(work, (work) => ({ _tag: "Reading", tool, work }))
  }

  /** Waits until the input is read, within the tool's limit. */
  const finish = (begun: RefusedCall | BegunReading): Effect.Effect<CallReading> =>
    begun._tag === "Refused"
      ? Effect.succeed(begun)
      : Effect.flatMap(
          AtOnce.exitWithin(begun.work, limitOf(begun.tool)),
          Option.match({
            onNone: () =>
              Effect.as(
                AtOnce.giveUp(begun.work),
                refused("timeout", "Reading the call's input took too long; it was not run.", begun.tool)
              ),
            onSome: (exit) => Effect.succeed(readingOf(begun.tool, exit))
          })
        )

  /** Ends a reading that nobody waits for any more. */
  const giveUp = (begun: RefusedCall | BegunReading): Effect.Effect<void> =>
    begun._tag === "Refused" ? Effect.void : AtOnce.giveUp(begun.work)

  return { begin, finish, giveUp, limitOf, toolCall }
})
