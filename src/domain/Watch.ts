/**
 * Works out what is news to one watcher of a session's live part. It tracks how far the watcher has seen each text and
 * sends the difference, never a queue: a slow watcher costs nothing, and a late one gets one delta from the beginning.
 */
import { HashMap, Option } from "effect"
import * as GrowingText from "./GrowingText.js"
import * as Live from "./Live.js"
import type { AssistantMessage } from "./Message.js"
import type { RunId } from "./Run.js"
import type { Cursor, SessionId } from "./Session.js"
import type { Durable, Ephemeral, SessionEvent } from "./SessionEvent.js"
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

/** Returns the events that bring a watcher up to date with the running step. */
const stepChanges = (seen: WatcherState, live: Live.Live, at: EventPosition): Changes => {
  const { step } = live
  if (step === null) return [[], seen]
  const { callIds, seq } = step
  const base = baseOf(live, at)
  const events: Array<Ephemeral> = []
  let now = seenOf(seen, live.runId)
  if (now.seq !== step.seq) now = { ...now, seq: step.seq, attempt: 1, text: 0, reasoning: 0, calls: [] }
  if (now.attempt !== step.attempt) {
    now = { ...now, attempt: step.attempt, text: 0, reasoning: 0, calls: [] }
    if (step.retry !== null) events.push({ type: "run.retrying", ...base, ...step.retry })
  }
  const { reasoning, text } = step.draft.shown
  if (reasoning.whole.length > now.reasoning) {
    const offset = now.reasoning
    events.push({ type: "reasoning.delta", ...base, seq, offset, text: GrowingText.after(reasoning, offset) })
  }
  if (text.whole.length > now.text) {
    events.push({ type: "text.delta", ...base, seq, offset: now.text, text: GrowingText.after(text, now.text) })
  }
  const calls = StepDraft.calls(step.draft)
  calls.forEach(({ index, input, name }, place) => {
    const offset = now.calls[place] ?? 0
    const callId = Option.getOrUndefined(HashMap.get(callIds, index))
    if (callId === undefined) return
    if (input.whole.length > offset || now.calls[place] === undefined) {
      const text = GrowingText.after(input, offset)
      events.push({ type: "call.arguments", ...base, seq, offset, text, index, callId, name })
    }
  })
  return [
    events,
    {
      ...now,
      reasoning: reasoning.whole.length,
      text: text.whole.length,
      calls: calls.map(({ input }) => input.whole.length)
    }
  ]
}

/**
 * Does the same for the whole live part: the step, and its calls' newest progress. A step that is stored is not news:
 * its message reports it.
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

/** Whether the only news is more of what the same step writes. */
export const isMoreOfSame = (before: Live.Live, now: Live.Live): boolean =>
  before.runId === now.runId &&
  before.version === now.version &&
  before.step?.seq === now.step?.seq &&
  before.step?.attempt === now.step?.attempt

/** How far a watcher has come: the last durable event that it was sent, and what it has seen of the live part. */
export interface Position {
  readonly cursor: Cursor
  readonly seen: WatcherState
}

/** Messages of steps by the cursors of their events, for steps whose whole text is nowhere else in this process. */
export type Answers = ReadonlyMap<Cursor, AssistantMessage>

const none: Answers = new Map()

/** Returns all that a step has written, if it is here, for a watcher that is about to get the step's message. */
const wholeOf = (
  row: Durable,
  seen: WatcherState,
  live: Live.Live | undefined,
  answers: Answers
): Live.Live | undefined => {
  if (row.type !== "message.appended" || row.role !== "assistant") return undefined
  const answer = answers.get(row.cursor)
  if (answer === undefined || row.runId === null) return row.seq === live?.step?.seq ? live : undefined
  const attempt = seen.runId === row.runId && seen.seq === row.seq ? seen.attempt : 1
  return Live.ofMessage(row.runId, row.seq, attempt, answer)
}

/**
 * Returns what a watcher is sent for durable events. A step's message is preceded by the rest of its text, as far as it
 * is here, so that a watcher's text is complete when the message comes. Messages in `answers` take precedence over
 * `live`.
 */
export const tell = (
  sessionId: SessionId,
  from: Position,
  rows: ReadonlyArray<Durable>,
  live: Live.Live | undefined,
  answers: Answers = none
): readonly [ReadonlyArray<SessionEvent>, Position] => {
  const events: Array<SessionEvent> = []
  let { cursor, seen } = from
  for (const row of rows) {
    const whole = wholeOf(row, seen, live, answers)
    if (whole !== undefined) {
      const [rest, next] = stepChanges(seen, whole, { sessionId, cursor })
      events.push(...rest)
      seen = next
    }
    // The engine that goes on with the run begins the text of its step again.
    if (row.type === "run.released") seen = nothingSeen
    events.push(row)
    cursor = row.cursor
  }
  return [events, { cursor, seen }]
}
