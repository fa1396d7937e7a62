/**
 * The part of a run that is not in its stored events: the text that a step has written so far, and the newest progress
 * of each call. `Watch` works out which of it is news to a watcher.
 */
import { HashMap, Option, Schema } from "effect"
import { AssistantMessage, CallId, callsOf, isReasoning, isText } from "./Message.js"
import { RunId } from "./Run.js"
import { Seq } from "./Session.js"
import * as StepDraft from "./StepDraft.js"

export const Retry = Schema.Struct({
  attempt: Schema.Int,
  delayMillis: Schema.Finite,
  reason: Schema.String
}).annotations({ identifier: "Retry" })
export type Retry = typeof Retry.Type

export interface LiveStep {
  /** The place that the step's message will have. */
  readonly seq: Seq
  /** The model that writes it. */
  readonly model: { readonly provider: string; readonly model: string }
  /** 1 for the first try; each further try begins the text again. */
  readonly attempt: number
  readonly draft: StepDraft.StepDraft
  /** The ids that the calls will be stored with, by their index. */
  readonly callIds: HashMap.HashMap<number, CallId>
  /** Whether its message is in the transcript; until then its text may still have to be kept as a partial message. */
  readonly stored: boolean
  /** Why the step was tried again. */
  readonly retry: Retry | null
}

/** What a running step has written so far, and how far its calls have come. */
export interface Live {
  readonly runId: RunId
  readonly step: LiveStep | null
  readonly progress: ReadonlyMap<CallId, { readonly text: string; readonly version: number }>
  readonly version: number
}

export const start = (runId: RunId): Live => ({ runId, step: null, progress: new Map(), version: 0 })

export const beginStep = (live: Live, seq: Seq, model: LiveStep["model"]): Live => ({
  ...live,
  step: { seq, model, attempt: 1, draft: StepDraft.empty, callIds: HashMap.empty(), stored: false, retry: null },
  progress: new Map()
})

export const addPart = (live: Live, part: StepDraft.Part): Live =>
  live.step === null ? live : { ...live, step: { ...live.step, draft: StepDraft.add(live.step.draft, part) } }

/** Gives a call its id, before any of its text is added. */
export const nameCall = (live: Live, index: number, callId: CallId): Live =>
  live.step === null
    ? live
    : { ...live, step: { ...live.step, callIds: HashMap.set(live.step.callIds, index, callId) } }

/** Starts a step again after it failed: what it had written is discarded. */
export const retryStep = (live: Live, retry: Retry): Live => {
  const { step } = live
  if (step === null) return live
  return { ...live, step: { ...step, attempt: retry.attempt, draft: StepDraft.empty, callIds: HashMap.empty(), retry } }
}

export const setProgress = (live: Live, callId: CallId, text: string): Live => {
  const version = live.version + 1
  return { ...live, version, progress: new Map(live.progress).set(callId, { text, version }) }
}

/** Ends a call: its progress is no longer news. */
export const endCall = (live: Live, callId: CallId): Live => {
  if (!live.progress.has(callId)) return live
  const progress = new Map(live.progress)
  progress.delete(callId)
  return { ...live, progress }
}

/** Marks the step's message as stored: only the progress of its calls is still live. */
export const endStep = (live: Live): Live =>
  live.step === null ? live : { ...live, step: { ...live.step, stored: true } }

/** What a running step has written so far, as watchers in another process see it. */
export const Draft = Schema.Struct({
  runId: RunId,
  seq: Seq,
  model: AssistantMessage.fields.model,
  attempt: Schema.Int,
  retry: Schema.NullOr(Retry),
  reasoning: Schema.String,
  text: Schema.String,
  calls: Schema.Array(
    Schema.Struct({
      index: Schema.Int,
      /** Absent in drafts of an earlier version: watchers do not see such a call before it is stored. */
      callId: Schema.optionalWith(CallId, { exact: true }),
      name: Schema.String,
      input: Schema.String
    }).annotations({ identifier: "CallDraft" })
  )
})
export type Draft = typeof Draft.Type

/** What a step has written, whether its message is stored or not. */
export const writtenOf = (runId: RunId, { attempt, callIds, draft, model, retry, seq }: LiveStep): Draft => ({
  runId,
  seq,
  model,
  attempt,
  retry,
  reasoning: StepDraft.reasoning(draft),
  text: StepDraft.text(draft),
  calls: StepDraft.calls(draft).flatMap(({ index, input, name }) => {
    const callId = HashMap.get(callIds, index)
    return Option.isNone(callId) ? [] : [{ index, callId: callId.value, name, input: input.whole }]
  })
})

/** Returns the draft of the running step; null while there is no step, or when its message is stored. */
export const draftOf = ({ runId, step }: Live): Draft | null =>
  step === null || step.stored ? null : writtenOf(runId, step)

/** Returns the live part of a step whose message is complete, for a watcher that has seen this attempt. */
export const ofMessage = (runId: RunId, seq: Seq, attempt: number, message: AssistantMessage): Live => {
  const [text, reasoning] = [isText, isReasoning].map((isOfType) =>
    message.parts.flatMap((part) => (isOfType(part) ? [part.text] : [])).join("")
  )
  const calls = callsOf(message).map(({ callId, input, name }, index) => ({ index, callId, name, input }))
  const { model } = message
  return ofDraft({ runId, seq, model, attempt, retry: null, reasoning: reasoning ?? "", text: text ?? "", calls })
}

/** Returns the live part that a draft describes. */
export const ofDraft = ({ attempt, calls, model, reasoning, retry, runId, seq, text }: Draft): Live => {
  const parts: ReadonlyArray<StepDraft.Part> = [
    { type: "reasoning", id: "reasoning", delta: reasoning },
    { type: "text", id: "text", delta: text },
    ...calls.map(({ index, input, name }) => ({ type: "call.delta" as const, index, name, delta: input }))
  ]
  const draft = parts.reduce(StepDraft.add, StepDraft.empty)
  const callIds = HashMap.fromIterable(
    calls.flatMap(({ callId, index }) => (callId === undefined ? [] : [[index, callId] as const]))
  )
  return { ...start(runId), step: { seq, model, attempt, draft, callIds, stored: false, retry } }
}
