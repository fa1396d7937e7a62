/**
 * One turn: model step, the calls that it asks for in parallel, their results back to the model, until the model asks
 * for no more or a limit ends it. Returns the stop reason; the driver stores it and closes what is open.
 */
import { Array, Chunk, Clock, Effect, Stream } from "effect"
import { Checked } from "../../domain/Checked.js"
import type * as Batch from "../../domain/Batch.js"
import * as Live from "../../domain/Live.js"
import {
  type AssistantMessage,
  CallId,
  type CallPart,
  callsOf,
  type Entry,
  type FinishReason,
  type ResultMessage
} from "../../domain/Message.js"
import type { RunId, StopReason } from "../../domain/Run.js"
import type { Seq, SessionId } from "../../domain/Session.js"
import * as StepDraft from "../../domain/StepDraft.js"
import { EngineConfig } from "../EngineConfig.js"
import { Ids } from "../Ids.js"
import type { OpenCall, RunEnd, StartedRun } from "../storage/Storage.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import type { RunContext } from "./CallRun.js"
import * as Calls from "./Calls.js"
import * as Gathering from "./Gathering.js"
import { LiveRuns } from "./LiveRuns.js"
import * as Sequencer from "./Sequencer.js"
import * as Steps from "./Steps.js"

/** Why a run is over, and what more there is to say. */
export type End = RunEnd

const end = (stopReason: StopReason, detail: string | null = null): End => ({ stopReason, detail })

const endOf = (finish: FinishReason): End => {
  switch (finish) {
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
      return end("completed")
  }
}

/** Nothing to keep: the run is over, for the model's reason if that says more. */
const emptyEndOf = ({ finish }: StepDraft.StepDraft): End => {
  const how = endOf(finish?.reason ?? "other")
  return how.stopReason === "completed" ? end("completed", "the model's answer was empty") : how
}

/** Whether the turn is over with the message though it asks for calls: the open ones are closed with the run. */
const endsTurn = ({ finish }: AssistantMessage): boolean => finish === "content-filter" || finish === "error"

/** The result of calls that do not run, as the model did not end the step by itself; null when they run. */
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

/** Two steps that ask for the same are alike, whatever their calls' ids. */
const signature = (calls: ReadonlyArray<CallPart>): string =>
  JSON.stringify(calls.map(({ input, name }) => [name, input]))

/** Whether the turn is over with the message. A paused answer goes on by itself. */
const isLastOf = (message: AssistantMessage): boolean =>
  endsTurn(message) || (callsOf(message).length === 0 && message.finish !== "paused")

/** The steps that a run has taken already: under an engine before this one, when it was taken over. */
const stepsOf = (entries: ReadonlyArray<Entry>, runId: RunId): ReadonlyArray<AssistantMessage> =>
  entries.flatMap(({ message, runId: by }) => (by === runId && message.role === "assistant" ? [message] : []))

/** What the last of some steps asks for, and for how many steps in a row. */
const repetition = (steps: ReadonlyArray<AssistantMessage>) => {
  const signatures = steps.flatMap((message) => {
    const calls = callsOf(message)
    return calls.length === 0 ? [] : [signature(calls)]
  })
  const last = signatures.at(-1) ?? ""
  return { last, repeats: signatures.length - 1 - signatures.findLastIndex((other) => other !== last) }
}

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const config = yield* EngineConfig
  const ids = yield* Ids
  const live = yield* LiveRuns
  const steps = yield* Steps.make
  const calls = yield* Calls.make

  /**
   * Runs the open calls of the message at `opener`, or stores why they do not run. Returns the batch's results in
   * call order: each call returns those that its own result let the head pass, which begin with it.
   */
  const runBatch = Effect.fn("Turns.batch")(function* (
    context: RunContext,
    opener: Seq,
    message: AssistantMessage,
    open: ReadonlyArray<OpenCall>,
    stored: ReadonlyArray<readonly [index: number, result: ResultMessage]>
  ) {
    yield* Effect.annotateCurrentSpan({ sessionId: context.session.id, runId: context.run.id, calls: open.length })
    const parts = callsOf(message)
    const sequencer = yield* Sequencer.make(opener, parts.length)
    const gathered = yield* Effect.forEach(stored, ([index, result]) => sequencer.store(index, result))
    const wanted = open.flatMap((call) => {
      const part = parts[call.index]
      return part === undefined ? [] : [{ call, part }]
    })
    const readings = yield* calls.readAll(
      context,
      wanted.map(({ part }) => part),
      reasonNotToRun(message)
    )
    const appended = yield* Effect.acquireUseRelease(
      Effect.sync(() => calls.plan(context, readings)),
      (plans) =>
        Gathering.all(
          Array.zipWith(wanted, plans, ({ call, part }, plan) =>
            Effect.flatMap(calls.run({ context, call, part }, plan), ({ result }) =>
              sequencer.store(call.index, result)
            )
          )
        ),
      (plans) => Effect.sync(() => plans.forEach(calls.leave))
    )
    return [...gathered, ...appended].flat()
  })

  const load = (sessionId: SessionId) =>
    reader.transcript({ sessionId }).pipe(Stream.runCollect, Effect.map(Chunk.toArray))

  /** The open batch of a run that was taken over: its calls, and the results that it has already. */
  const reopen = Effect.fnUntraced(function* (context: RunContext, entries: ReadonlyArray<Entry>) {
    const opener = entries.findLast(({ message }) => message.role !== "tool")
    const last = entries.at(-1)
    if (opener?.message.role !== "assistant" || last === undefined) return []
    if (last.seq === opener.seq + callsOf(opener.message).length) return []
    const { calls: open, stored } = yield* reader.openBatch(context.session.id)
    if (open.length === 0) return []
    const results = [...entries.filter(({ seq }) => seq > opener.seq), ...stored].flatMap(({ message, seq }) =>
      message.role === "tool" ? [[seq - opener.seq - 1, message] as const] : []
    )
    const appended = yield* runBatch(context, opener.seq, opener.message, open, results)
    const known = new Set<number>(entries.map(({ seq }) => seq))
    return appended.filter(({ seq }) => !known.has(seq))
  })

  /**
   * Runs a turn to its end. Fails when the model failed for good or a change could not be stored; interruption
   * leaves open calls and an unfinished step to the driver. `stored` is told of an end that is stored with the last step.
   */
  const run = Effect.fn("Turns.run")(function* ({ lease, run }: StartedRun, stored: (end: End) => void) {
    const { sessionId } = lease
    yield* Effect.annotateCurrentSpan({ sessionId, runId: run.id })
    const entries = [...(yield* load(sessionId))]
    const remember = Effect.fnUntraced(function* (appended: ReadonlyArray<Batch.AppendedResult<ResultMessage>>) {
      const at = yield* Clock.currentTimeMillis
      for (const { result, seq } of appended) entries.push({ seq, runId: run.id, at, message: result })
    })
    let session = yield* reader.session(sessionId)
    yield* remember(yield* reopen({ session, run, lease }, entries))
    const taken = stepsOf(entries, run.id)
    const newest = entries.findLast(({ message }) => message.role !== "tool")?.message
    if (newest !== undefined && newest === taken.at(-1) && isLastOf(newest)) return endOf(newest.finish)

    let { last, repeats } = repetition(taken)
    for (let step = taken.length + 1; step <= config.stepLimit; step++) {
      // Read anew once the transcript has grown: what a client has changed since then holds from this step on.
      if (entries.length !== session.head) session = yield* reader.session(sessionId)
      const context: RunContext = { session, run, lease }
      const { draft, model } = yield* steps.run(context.session, run.id, entries)
      const callIds = yield* Effect.forEach(StepDraft.calls(draft), () => Effect.map(ids.next("call"), CallId.make))
      const message = StepDraft.toMessage(draft, model, callIds)
      if (message === null || message.parts.length === 0) return emptyEndOf(draft)
      const checked = yield* Checked.message(message, config.limits)
      const ending = isLastOf(message) ? endOf(message.finish) : null
      const appended = yield* storage.appendStep(lease, checked, ending === null ? {} : { end: ending }).pipe(
        Effect.tap(() => {
          if (ending !== null) stored(ending)
          return live.update(sessionId, Live.endStep)
        }),
        Effect.uninterruptible
      )
      if (ending !== null) return ending
      entries.push(appended.entry)
      const parts = callsOf(message)
      if (parts.length === 0) continue
      const now = signature(parts)
      repeats = now === last ? repeats + 1 : 1
      last = now
      if (repeats >= config.repeatLimit) {
        return end("repeated-calls", `the model asked for the same calls ${repeats} times in a row`)
      }
      yield* remember(yield* runBatch(context, appended.entry.seq, message, appended.calls, []))
    }
    return end("step-limit", `the run took ${config.stepLimit} steps`)
  })

  return { run }
})
