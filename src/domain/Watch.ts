/**
 * What is news to one watcher of a session's live part. It remembers how far it has seen each text and gets the
 * difference, never a queue: a slow watcher costs nothing, and a late one gets one delta from the beginning.
 */
import type * as Live from "./Live.js"
import type { RunId } from "./Run.js"
import type { Cursor, SessionId } from "./Session.js"
import type { Ephemeral } from "./SessionEvent.js"
import * as StepDraft from "./StepDraft.js"

/** What one watcher has seen of a session's live part. */
export interface WatcherState {
  readonly runId: RunId | null
  readonly seq: number
  readonly attempt: number
  readonly text: number
  readonly reasoning: number
  readonly calls: ReadonlyArray<number>
  readonly version: number
}

export const nothingSeen: WatcherState = {
  runId: null,
  seq: 0,
  attempt: 1,
  text: 0,
  reasoning: 0,
  calls: [],
  version: 0
}

type EventPosition = { readonly sessionId: SessionId; readonly cursor: Cursor }
type Changes = readonly [ReadonlyArray<Ephemeral>, WatcherState]

const seenOf = (seen: WatcherState, runId: RunId): WatcherState =>
  seen.runId === runId ? seen : { ...nothingSeen, runId }

const baseOf = ({ runId }: Live.Live, { cursor, sessionId }: EventPosition) => ({ sessionId, after: cursor, runId })

/** The events that bring a watcher from what it has seen of the running step to what there is. */
export const stepChanges = (seen: WatcherState, live: Live.Live, at: EventPosition): Changes => {
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
export const changes = (seen: WatcherState, live: Live.Live, at: EventPosition): Changes => {
  const known = seenOf(seen, live.runId)
  const [events, now] = live.step?.stored === true ? [[], known] : stepChanges(known, live, at)
  const base = baseOf(live, at)
  const progress = [...live.progress].flatMap(([callId, { text, version }]): ReadonlyArray<Ephemeral> =>
    version > now.version ? [{ type: "call.progress", ...base, callId, text }] : []
  )
  return [[...events, ...progress], { ...now, version: live.version }]
}
