/**
 * One turn: a model step, the calls that it asks for in parallel, their results back to the model, until the model asks
 * for no more or a limit ends it. Returns the stop reason; the driver stores it and closes what is open.
 */
import { Array, Clock, Effect } from "effect"
import { Checked } from "../../domain/Checked.js"
import type * as Batch from "../../domain/Batch.js"
import * as Live from "../../domain/Live.js"
import { type AssistantMessage, type CallPart, callsOf, type Entry, type ResultMessage } from "../../domain/Message.js"
import type { RunId, RunningRun, StopReason } from "../../domain/Run.js"
import type { Seq, Session } from "../../domain/Session.js"
import type { Timestamp } from "../../domain/Timestamp.js"
import type { AgentUnavailable } from "../../domain/SkeinError.js"
import * as StepDraft from "../../domain/StepDraft.js"
import { Agents } from "../Agents.js"
import { EngineConfig } from "../EngineConfig.js"
import { afterText } from "../EventLoop.js"
import type { OpenCall, RunEnd, StartedRun, StepSequel } from "../storage/Storage.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import { Stretch } from "../Stretch.js"
import type { RunContext } from "./CallRun.js"
import * as Calls from "./Calls.js"
import * as Gathering from "./Gathering.js"
import { HostFibers } from "./HostFibers.js"
import { LiveRuns } from "./LiveRuns.js"
import * as Portions from "./Portions.js"
import * as RunTranscript from "./RunTranscript.js"
import * as Sequencer from "./Sequencer.js"
import * as Steps from "./Steps.js"

/** Why a run is over, and what more there is to say. */
export type End = RunEnd

const end = (stopReason: StopReason, detail: string | null = null): End => ({ stopReason, detail })

const isEmpty = ({ parts }: AssistantMessage): boolean => parts.length === 0

const endOf = (message: AssistantMessage): End => {
  switch (message.finish) {
    case "length":
      return end("output-limit", "the answer was cut: the model reached its output limit or the end of its context")
    case "paused":
      return end("output-limit", "the provider paused before it had written anything")
    case "content-filter":
      return end("refused", "the provider's content filter ended the answer")
    case "error":
      return end("failed", "the provider ended the step with an error")
    case "stop":
    case "tool-calls":
    case "other":
      return end("completed", isEmpty(message) ? "the model's answer was empty" : null)
  }
}

/** Whether the turn is over with the message although it asks for calls: open calls are closed with the run. */
const endsTurn = ({ finish }: AssistantMessage): boolean => finish === "content-filter" || finish === "error"

/** The result of calls that do not run because the model did not end the step by itself; null when they run. */
const reasonNotToRun = ({ finish, usage }: AssistantMessage): string | null => {
  switch (finish) {
    case "length":
      return `Not run: your answer was cut at the output limit${usage.outputTokens === null ? "" : ` of ${usage.outputTokens} tokens`}. Ask again, in smaller pieces.`
    case "content-filter":
    case "error":
      return "Not run: the provider ended the answer."
    case "stop":
    case "tool-calls":
    case "paused":
    case "other":
      return null
  }
}

/** A batch whose message is stored. */
interface OpenedBatch {
  /** The place of the message that asks for the calls. */
  readonly opener: Seq
  readonly parts: ReadonlyArray<CallPart>
  /** The results that it has already. */
  readonly stored: ReadonlyArray<readonly [index: number, result: ResultMessage]>
}

/** Open calls, each with the part of the message that asks for it. */
const askedOf = (parts: ReadonlyArray<CallPart>, open: ReadonlyArray<OpenCall>) =>
  open.flatMap((call) => {
    const part = parts[call.index]
    return part === undefined ? [] : [{ call, part }]
  })

/** Equal for two steps that ask for the same calls, whatever the calls' ids. */
const signature = (calls: ReadonlyArray<CallPart>): string =>
  JSON.stringify(calls.map(({ input, name }) => [name, input]))

/** Whether the turn is over with the message. After a paused answer the turn goes on, unless there is none of it yet. */
const isLastOf = (message: AssistantMessage): boolean =>
  endsTurn(message) || isEmpty(message) || (callsOf(message).length === 0 && message.finish !== "paused")

/** What the last of some steps asks for, and for how many steps in a row. */
const repetition = (steps: ReadonlyArray<AssistantMessage>) => {
  const signatures = steps.flatMap((message) => {
    const calls = callsOf(message)
    return calls.length === 0 ? [] : [signature(calls)]
  })
  const last = signatures.at(-1) ?? ""
  return { last, repeats: signatures.length - 1 - signatures.findLastIndex((other) => other !== last) }
}

/** How far a run has come already: under earlier engines, if it was taken over. */
const progressOf = (entries: ReadonlyArray<Entry>, runId: RunId) => {
  const steps = entries.flatMap(({ message, runId: by }) =>
    by === runId && message.role === "assistant" ? [message] : []
  )
  const newest = entries.findLast(({ message }) => message.role !== "tool")?.message
  const isOver = newest !== undefined && newest === steps.at(-1) && isLastOf(newest)
  return { taken: steps.length, ...repetition(steps), ending: isOver ? endOf(newest) : null }
}

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const config = yield* EngineConfig
  const stretch = yield* Stretch
  const agents = yield* Agents
  const fibers = yield* HostFibers
  const live = yield* LiveRuns
  const steps = yield* Steps.make
  const calls = yield* Calls.make
  const transcripts = yield* RunTranscript.make

  /** Runs open calls of a batch. Returns its results in call order, including those that were stored before. */
  const runBatch = Effect.fn("Turns.batch")(function* (
    context: RunContext,
    { opener, parts, stored }: OpenedBatch,
    open: ReadonlyArray<OpenCall>,
    plans: ReadonlyArray<Calls.CallPlan>
  ) {
    yield* Effect.annotateCurrentSpan({ sessionId: context.session.id, runId: context.run.id, calls: open.length })
    const sequencer = yield* Sequencer.make(opener, parts.length)
    const gathered = yield* Effect.forEach(stored, ([index, result]) => sequencer.store(index, result))
    // Each call returns the results that its own result lets the head pass, beginning with its own.
    const appended = yield* Gathering.all(
      Array.zipWith(askedOf(parts, open), plans, ({ call, part }, plan) =>
        Effect.flatMap(calls.run({ context, call, part }, plan), ({ result }) => sequencer.store(call.index, result))
      ),
      stretch
    )
    return [...gathered, ...appended].flat()
  })

  /** Runs the open batch of a run that was taken over. Returns the results that are new in the transcript. */
  const reopen = Effect.fnUntraced(function* (
    { id: sessionId }: Session,
    resolved: Effect.Effect<RunContext, AgentUnavailable>,
    entries: ReadonlyArray<Entry>
  ) {
    const opener = entries.findLast(({ message }) => message.role !== "tool")
    const last = entries.at(-1)
    if (opener?.message.role !== "assistant" || last === undefined) return []
    if (last.seq === opener.seq + callsOf(opener.message).length) return []
    const { message } = opener
    const parts = callsOf(message)
    const { calls: open, stored } = yield* reader.openBatch(sessionId)
    if (open.length === 0) return []
    const context = yield* resolved
    const results = [...entries.filter(({ seq }) => seq > opener.seq), ...stored].flatMap(({ message, seq }) =>
      message.role === "tool" ? [[seq - opener.seq - 1, message] as const] : []
    )
    const asked = askedOf(parts, open).map(({ call: { questionId }, part }) => ({ part, questionId }))
    const appended = yield* Effect.acquireUseRelease(
      calls.open(context, asked, reasonNotToRun(message)),
      ({ plans }) =>
        Effect.flatMap(plans, (all) => runBatch(context, { opener: opener.seq, parts, stored: results }, open, all)),
      ({ leave }) => leave
    )
    const known = new Set<number>(entries.map(({ seq }) => seq))
    return appended.filter(({ seq }) => !known.has(seq))
  })

  /** Returns what the run goes on from, after a batch that was left open has run. */
  const begin = Effect.fnUntraced(function* (
    session: Session,
    { id }: RunningRun,
    resolved: Effect.Effect<RunContext, AgentUnavailable>
  ) {
    const { tail, transcript } = yield* transcripts.open(session, id)
    return { transcript, reopened: yield* reopen(session, resolved, tail), ...progressOf(tail, id) }
  })

  /**
   * Runs a turn to its end. Fails when the model failed for good or a change could not be stored; interruption leaves
   * open calls and an unfinished step to the driver. `stored` is called with an end that is stored with the last step.
   */
  const run = Effect.fn("Turns.run")(function* ({ lease, run }: StartedRun, stored: (end: End) => void) {
    const { sessionId } = lease
    yield* Effect.annotateCurrentSpan({ sessionId, runId: run.id })
    let session = yield* reader.session(sessionId)
    const contextOf = (session: Session): Effect.Effect<RunContext, AgentUnavailable> =>
      Effect.map(fibers.doing(agents.resolve(session, run)), (agent) => ({ session, run, lease, agent }))
    const { ending: before, reopened, taken, transcript, ...begun } = yield* begin(session, run, contextOf(session))
    const remember = Effect.fnUntraced(function* (appended: ReadonlyArray<Batch.AppendedResult<ResultMessage>>) {
      const at = yield* Clock.currentTimeMillis
      transcript.append(appended.map(({ result, seq }) => ({ seq, runId: run.id, actor: null, at, message: result })))
    })
    yield* remember(reopened)
    if (before !== null) return before

    const storeStep = (message: Checked<AssistantMessage>, sequel: StepSequel) =>
      storage.appendStep(lease, message, sequel).pipe(
        Effect.tap(({ entry }) => {
          transcript.append([entry])
          if (sequel.end !== undefined) stored(sequel.end)
          return live.update(sessionId, Live.endStep)
        }),
        Effect.uninterruptible
      )

    /** Stores a step that asks for calls, and runs them. */
    const storeAndRun = (
      context: RunContext,
      message: Checked<AssistantMessage>,
      parts: ReadonlyArray<CallPart>,
      startedAt: Timestamp
    ) =>
      Effect.acquireUseRelease(
        calls.open(
          context,
          parts.map((part) => ({ part, questionId: null })),
          reasonNotToRun(message.value)
        ),
        ({ displays, plans, starts }) =>
          Effect.gen(function* () {
            yield* Portions.between(parts.length, stretch)
            const step = yield* storeStep(message, { starts, displays, startedAt })
            yield* Portions.between(parts.length, stretch)
            return yield* runBatch(context, { opener: step.entry.seq, parts, stored: [] }, step.calls, yield* plans)
          }),
        ({ leave }) => leave
      )

    let { last, repeats } = begun
    for (let step = taken + 1; ; step++) {
      // Read again once the transcript has grown: what a client has changed meanwhile applies from this step on.
      if (transcript.head() !== session.head) session = yield* reader.session(sessionId)
      const context = yield* contextOf(session)
      const { stepLimit } = context.agent
      if (step > stepLimit) return end("step-limit", `the run took ${stepLimit} steps`)
      const startedAt = yield* Clock.currentTimeMillis
      const { callIds, draft, model } = yield* steps.run(context, transcript)
      const message = StepDraft.toMessage(draft, model, callIds)
      const checked = yield* Checked.message(message, config.limits)
      yield* afterText(stretch.turn, checked.json)
      const parts = callsOf(message)
      if (parts.length > 0) {
        const now = signature(parts)
        repeats = now === last ? repeats + 1 : 1
        last = now
      }
      const ending = isLastOf(message)
        ? endOf(message)
        : parts.length > 0 && repeats >= config.repeatLimit
          ? end("repeated-calls", `the model asked for the same calls ${repeats} times in a row`)
          : null
      if (ending !== null) return yield* Effect.as(storeStep(checked, { end: ending, startedAt }), ending)
      if (parts.length > 0) yield* remember(yield* storeAndRun(context, checked, parts, startedAt))
      else yield* storeStep(checked, { startedAt })
    }
  })

  return { run }
})
