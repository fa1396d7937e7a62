/**
 * What is seen of a run beyond its stored events: the text that a step has written so far, the newest progress of each
 * call. Watchers compare it with what they have seen and get the difference, so a slow watcher costs nothing and one
 * that comes late gets one delta from the beginning.
 */
import { Schema } from "effect"
import type { CallId } from "./Message.js"
import { RunId } from "./Run.js"
import type { Cursor, SessionId } from "./Session.js"
import type { Ephemeral } from "./SessionEvent.js"
import * as StepDraft from "./StepDraft.js"

export const Retry = Schema.Struct({ attempt: Schema.Int, delayMillis: Schema.Number, reason: Schema.String })
export type Retry = typeof Retry.Type

export interface LiveStep {
  /** The place that the step's message will have. */
  readonly seq: number
  /** Who writes it. */
  readonly model: { readonly provider: string; readonly model: string }
  /** 1 for the first try; each further try begins the text anew. */
  readonly attempt: number
  readonly draft: StepDraft.StepDraft
  /** Whether its message is in the transcript; until then what was written may still have to be kept as partial. */
  readonly stored: boolean
  /** Why there was a further try. */
  readonly retry: Retry | null
}

export interface Live {
  readonly runId: RunId
  readonly step: LiveStep | null
  readonly progress: ReadonlyMap<CallId, { readonly text: string; readonly version: number }>
  readonly version: number
}

export const start = (runId: RunId): Live => ({ runId, step: null, progress: new Map(), version: 0 })

export const beginStep = (live: Live, seq: number, model: LiveStep["model"]): Live => ({
  ...live,
  step: { seq, model, attempt: 1, draft: StepDraft.empty, stored: false, retry: null },
  progress: new Map()
})

export const addPart = (live: Live, part: StepDraft.Part): Live =>
  live.step === null ? live : { ...live, step: { ...live.step, draft: StepDraft.add(live.step.draft, part) } }

/** The step failed and is tried again: what it had written is void. */
export const retryStep = (live: Live, retry: Retry): Live =>
  live.step === null ? live : { ...live, step: { ...live.step, attempt: retry.attempt, draft: StepDraft.empty, retry } }

export const setProgress = (live: Live, callId: CallId, text: string): Live => {
  const version = live.version + 1
  return { ...live, version, progress: new Map(live.progress).set(callId, { text, version }) }
}

/** The call is over: its progress is news no more. */
export const endCall = (live: Live, callId: CallId): Live => {
  if (!live.progress.has(callId)) return live
  const progress = new Map(live.progress)
  progress.delete(callId)
  return { ...live, progress }
}

/** The step's message is stored: what is left of the live part is its calls' progress. */
export const endStep = (live: Live): Live =>
  live.step === null ? live : { ...live, step: { ...live.step, stored: true } }

/** What a running step has written so far, as those see it who watch from another process. */
export const Draft = Schema.Struct({
  runId: RunId,
  seq: Schema.Int,
  model: Schema.Struct({ provider: Schema.String, model: Schema.String }),
  attempt: Schema.Int,
  retry: Schema.NullOr(Retry),
  reasoning: Schema.String,
  text: Schema.String,
  calls: Schema.Array(Schema.Struct({ index: Schema.Int, name: Schema.String, input: Schema.String }))
})
export type Draft = typeof Draft.Type

/** Null while there is no step, or when its message is stored. */
export const draftOf = ({ runId, step }: Live): Draft | null => {
  if (step === null || step.stored) return null
  const { attempt, draft, model, retry, seq } = step
  return {
    runId,
    seq,
    model,
    attempt,
    retry,
    reasoning: StepDraft.reasoning(draft),
    text: StepDraft.text(draft),
    calls: StepDraft.calls(draft).map(({ index, input, name }) => ({ index, name, input }))
  }
}

/** The live part that a draft tells of. */
export const ofDraft = ({ attempt, calls, model, reasoning, retry, runId, seq, text }: Draft): Live => {
  const parts: ReadonlyArray<StepDraft.Part> = [
    { type: "reasoning", id: "reasoning", delta: reasoning },
    { type: "text", id: "text", delta: text },
    ...calls.map(({ index, input, name }) => ({ type: "call.delta" as const, index, name, delta: input }))
  ]
  const draft = parts.reduce(StepDraft.add, StepDraft.empty)
  return { ...start(runId), step: { seq, model, attempt, draft, stored: false, retry } }
}

/** What one watcher has seen of a session's live part. */
export interface Seen {
  readonly runId: RunId | null
  readonly seq: number
  readonly attempt: number
  readonly text: number
  readonly reasoning: number
  readonly calls: ReadonlyArray<number>
  readonly version: number
}

export const nothingSeen: Seen = { runId: null, seq: 0, attempt: 1, text: 0, reasoning: 0, calls: [], version: 0 }

type EventPosition = { readonly sessionId: SessionId; readonly cursor: Cursor }
type Changes = readonly [ReadonlyArray<Ephemeral>, Seen]

const seenOf = (seen: Seen, runId: RunId): Seen => (seen.runId === runId ? seen : { ...nothingSeen, runId })

const baseOf = ({ runId }: Live, { cursor, sessionId }: EventPosition) => ({ sessionId, after: cursor, runId })

/** The events that bring a watcher from what it has seen of the running step to what there is. */
export const stepChanges = (seen: Seen, live: Live, at: EventPosition): Changes => {
  const { step } = live
  if (step === null) return [[], seen]
  const base = baseOf(live, at)
  const events: Array<Ephemeral> = []
  let now = seenOf(seen, live.runId)
  if (now.seq !== step.seq) now = { ...now, seq: step.seq, attempt: 1, text: 0, reasoning: 0, calls: [] }
  if (now.attempt !== step.attempt) {
    now = { ...now, attempt: step.attempt, text: 0, reasoning: 0, calls: [] }
    if (step.retry !== null) events.push({ type: "run.retrying", ...base, ...step.retry })
  }
  const reasoning = StepDraft.reasoning(step.draft)
  if (reasoning.length > now.reasoning) {
    events.push({ type: "reasoning.delta", ...base, offset: now.reasoning, text: reasoning.slice(now.reasoning) })
  }
  const text = StepDraft.text(step.draft)
  if (text.length > now.text) {
    events.push({ type: "text.delta", ...base, offset: now.text, text: text.slice(now.text) })
  }
  const calls = StepDraft.calls(step.draft)
  calls.forEach(({ index, input, name }, place) => {
    const offset = now.calls[place] ?? 0
    if (input.length > offset || now.calls[place] === undefined) {
      events.push({ type: "call.arguments", ...base, index, name, offset, text: input.slice(offset) })
    }
  })
  return [
    events,
    { ...now, reasoning: reasoning.length, text: text.length, calls: calls.map(({ input }) => input.length) }
  ]
}

/**
 * The same for the whole live part: the step, and its calls' newest progress. A step that is stored is nothing new: its
 * message tells it.
 */
export const changes = (seen: Seen, live: Live, at: EventPosition): Changes => {
  const known = seenOf(seen, live.runId)
  const [events, now] = live.step?.stored === true ? [[], known] : stepChanges(known, live, at)
  const base = baseOf(live, at)
  const progress = [...live.progress].flatMap(([callId, { text, version }]): ReadonlyArray<Ephemeral> =>
    version > now.version ? [{ type: "call.progress", ...base, callId, text }] : []
  )
  return [[...events, ...progress], { ...now, version: live.version }]
}
