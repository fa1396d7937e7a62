/**
 * A session as the page shows it, and how each event changes it. Pure. It begins with the snapshot, the timeline and
 * the transcript's end; events go on from the snapshot's cursor. What was loaded after the snapshot may already include
 * what later events say: an event that repeats it changes nothing.
 */
import { add } from "../../../domain/UsageSum.js"
import * as Strands from "./Strands.js"
import type {
  Activity,
  Draft,
  Entry,
  Event,
  Question,
  Run,
  Session,
  Snapshot,
  StopReason,
  TimelineRow
} from "./Wire.js"

/** What the running step has written so far. */
export interface Live {
  readonly runId: string
  readonly seq: number
  readonly text: string
  readonly reasoning: string
  readonly calls: Draft["calls"]
  /** Why the step is tried again, and when; null at the first try. */
  readonly retry: Draft["retry"]
  /** When its first text was seen here. */
  readonly since: number
}

/** How the last run ended. */
export interface Ended {
  readonly runId: string
  readonly stopReason: StopReason
  readonly detail: string | null
}

export interface SessionView {
  readonly session: Session
  /** The cursor of the last event that is included. */
  readonly cursor: number
  /** The cursor of the oldest event that is kept. */
  readonly oldest: number
  /** By place minus one; undefined where nothing is loaded. Beyond the head: results that wait for earlier ones. */
  readonly entries: ReadonlyArray<Entry | undefined>
  readonly steps: ReadonlyArray<Strands.Step>
  readonly run: { readonly id: string; readonly startedAt: number | null; readonly left: boolean } | null
  readonly queued: ReadonlyArray<{ readonly id: string; readonly createdAt: number }>
  readonly questions: ReadonlyArray<Question>
  readonly live: Live | null
  /** The newest progress of running calls. */
  readonly progress: ReadonlyMap<string, string>
  /** Null before any run has ended, and while a run goes on. */
  readonly ended: Ended | null
  /** Grows when a file is saved or deleted. */
  readonly files: number
  readonly deleted: boolean
  /** The latest server time that was seen. */
  readonly seenAt: number
}

const withEntry = (
  entries: ReadonlyArray<Entry | undefined>,
  entry: Entry | undefined
): ReadonlyArray<Entry | undefined> => {
  if (entry === undefined || entries[entry.seq - 1] !== undefined) return entries
  const all = entries.slice()
  while (all.length < entry.seq) all.push(undefined)
  all[entry.seq - 1] = entry
  return all
}

/** Puts entries at their places. */
export const putEntries = (view: SessionView, loaded: ReadonlyArray<Entry>): SessionView => {
  const entries = view.entries.slice()
  for (const entry of loaded) {
    while (entries.length < entry.seq) entries.push(undefined)
    entries[entry.seq - 1] ??= entry
  }
  return { ...view, entries }
}

const liveOf = (draft: Draft, since: number): Live => {
  const { calls, reasoning, retry, runId, seq, text } = draft
  return { runId, seq, text, reasoning, calls, retry, since }
}

/** The end of the run that ended last; runs that never started do not count. */
const endedOf = (runs: ReadonlyArray<Run>): Ended | null => {
  let last: Extract<Run, { readonly state: "ended" }> | null = null
  for (const run of runs) {
    if (run.state !== "ended" || run.startedAt === null) continue
    if (last === null || run.endedAt > last.endedAt) last = run
  }
  return last === null ? null : { runId: last.id, stopReason: last.stopReason, detail: last.detail }
}

/** The view of a snapshot and what was loaded with it. `runs` are the session's newest. */
export const load = (
  snapshot: Snapshot,
  rows: ReadonlyArray<TimelineRow>,
  entries: ReadonlyArray<Entry>,
  runs: ReadonlyArray<Run> = []
): SessionView => {
  const { batch, live, questions, queued, run, session } = snapshot
  const asked = new Map(questions.map((question) => [question.seq, question.id]))
  const steps = batch.calls.reduce(
    (steps, { display, seq, startedAt }) =>
      Strands.patchCall(steps, { seq }, { startedAt, display, questionId: asked.get(seq) ?? null }),
    Strands.ofTimeline(rows)
  )
  const base: SessionView = {
    session,
    cursor: snapshot.cursor,
    oldest: snapshot.oldest,
    entries: Array.from({ length: session.head }),
    steps: questions.reduce((all, { seq }) => Strands.patchCall(all, { seq }, { wasAsked: true }), steps),
    run: run === null ? null : { id: run.run.id, startedAt: run.run.startedAt, left: run.crashed },
    queued: queued.map(({ createdAt, id }) => ({ id, createdAt })),
    questions: questions.filter(({ answer }) => answer === null),
    live: live === null || live.step === null || live.step.stored ? null : liveOf(live.step, session.updatedAt),
    progress: new Map((live?.progress ?? []).map(({ callId, text }) => [callId, text])),
    ended: run === null ? endedOf(runs) : null,
    files: 0,
    deleted: false,
    seenAt: session.updatedAt
  }
  return putEntries(base, [...entries, ...batch.stored])
}

const less = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => {
  if (!map.has(key)) return map
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

type Of<T extends Event["type"]> = Extract<Event, { readonly type: T }>

const blank = (runId: string, seq: number, since: number): Live => ({
  runId,
  seq,
  text: "",
  reasoning: "",
  calls: [],
  retry: null,
  since
})

/** What has been written of the step at a place; blank when the known step is another one. */
const liveAt = (view: SessionView, { runId, seq }: { readonly runId: string; readonly seq: number }): Live =>
  view.live?.seq === seq && view.live.runId === runId ? view.live : blank(runId, seq, view.seenAt)

const grown = (known: string, { offset, text }: { readonly offset: number; readonly text: string }): string =>
  known.slice(0, offset) + text

const withArguments = (live: Live, event: Of<"call.arguments">): Live => {
  const at = live.calls.findIndex(({ index }) => index === event.index)
  const call = live.calls[at]
  const { callId, index, name } = event
  const now = { index, callId, name, input: grown(call?.input ?? "", event) }
  return { ...live, calls: call === undefined ? [...live.calls, now] : live.calls.with(at, now) }
}

/** Whether a text is already stored, and therefore no longer live. */
const isStored = (view: SessionView, { seq }: { readonly seq: number }): boolean => seq <= view.session.head

const appended = (view: SessionView, event: Of<"message.appended">): SessionView => {
  const { entry, seq } = event
  const isNew = seq > view.session.head
  const session = { ...view.session, head: Math.max(view.session.head, seq) }
  const entries = withEntry(view.entries, entry)
  if (event.role !== "assistant") return { ...view, session, entries }
  const since = view.live?.seq === seq ? view.live.since : null
  const live = view.live !== null && view.live.seq <= seq ? null : view.live
  if (entry?.message.role !== "assistant") return { ...view, session, entries, live }
  const { message } = entry
  return {
    ...view,
    live,
    entries,
    steps: Strands.putStep(view.steps, Strands.ofMessage(entry, message, since)),
    session: isNew ? { ...session, usage: add(session.usage, message.usage) } : session
  }
}

const started = (view: SessionView, { at, runId }: Of<"run.started">): SessionView => ({
  ...view,
  run: view.run?.id === runId ? { ...view.run, left: false } : { id: runId, startedAt: at, left: false },
  queued: view.queued.filter(({ id }) => id !== runId),
  ended: null
})

const endedRun = (view: SessionView, { detail, runId, stopReason }: Of<"run.ended">): SessionView => {
  const queued = view.queued.filter(({ id }) => id !== runId)
  if (view.run?.id !== runId && queued.length < view.queued.length) return { ...view, queued }
  return {
    ...view,
    queued,
    run: null,
    live: null,
    progress: new Map(),
    questions: view.questions.filter((question) => question.runId !== runId),
    ended: { runId, stopReason, detail }
  }
}

/** What is left of a session that is not there any more: what it had said. */
export const deleted = (view: SessionView): SessionView => ({
  ...view,
  deleted: true,
  run: null,
  live: null,
  questions: [],
  queued: []
})

const asked = (view: SessionView, { display, question, questionId, seq }: Of<"permission.asked">): SessionView => ({
  ...view,
  steps: Strands.patchCall(view.steps, { seq }, { questionId, wasAsked: true, display }),
  questions:
    question === undefined || view.questions.some(({ id }) => id === questionId)
      ? view.questions
      : [...view.questions, question]
})

const durable = (view: SessionView, event: Event): SessionView => {
  const { session } = view
  switch (event.type) {
    case "session.renamed":
      return { ...view, session: { ...session, title: event.title } }
    case "session.model":
      return { ...view, session: { ...session, model: event.model } }
    case "session.agent":
      return { ...view, session: { ...session, agent: event.agent } }
    case "session.moved":
      return { ...view, session: { ...session, workdir: event.workdir } }
    case "session.deleted":
      return deleted(view)
    case "run.queued":
      return view.queued.some(({ id }) => id === event.runId)
        ? view
        : { ...view, queued: [...view.queued, { id: event.runId, createdAt: event.at }] }
    case "run.started":
      return started(view, event)
    case "run.released":
      return { ...view, live: null, run: view.run === null ? null : { ...view.run, left: true } }
    case "run.ended":
      return endedRun(view, event)
    case "message.appended":
      return appended(view, event)
    case "call.started": {
      const { at, display, seq } = event
      const changes = { startedAt: at, display, questionId: null }
      const run = view.run?.left === true ? { ...view.run, left: false } : view.run
      return { ...view, run, steps: Strands.patchCall(view.steps, { seq }, changes) }
    }
    case "call.finished": {
      const { at, cursor, display, outcome, seq } = event
      return {
        ...view,
        entries: withEntry(view.entries, event.entry),
        steps: Strands.patchCall(
          view.steps,
          { seq },
          { outcome, endedAt: at, finished: cursor, display, questionId: null }
        ),
        progress: less(view.progress, event.callId)
      }
    }
    case "permission.asked":
      return asked(view, event)
    case "permission.answered":
      return {
        ...view,
        steps: Strands.patchCall(view.steps, event, { questionId: null }),
        questions: view.questions.filter(({ id }) => id !== event.questionId)
      }
    case "asset.saved":
    case "asset.deleted":
      return { ...view, files: view.files + 1 }
    case "session.created":
    case "other":
    case "text.delta":
    case "reasoning.delta":
    case "call.arguments":
    case "call.progress":
    case "run.retrying":
      return view
  }
}

const ephemeral = (view: SessionView, event: Event): SessionView => {
  switch (event.type) {
    case "text.delta": {
      if (isStored(view, event)) return view
      const live = liveAt(view, event)
      return { ...view, live: { ...live, text: grown(live.text, event) } }
    }
    case "reasoning.delta": {
      if (isStored(view, event)) return view
      const live = liveAt(view, event)
      return { ...view, live: { ...live, reasoning: grown(live.reasoning, event) } }
    }
    case "call.arguments":
      return isStored(view, event) ? view : { ...view, live: withArguments(liveAt(view, event), event) }
    case "call.progress":
      return { ...view, progress: new Map([...view.progress, [event.callId, event.text]]) }
    case "run.retrying": {
      const { attempt, delayMillis, reason, runId } = event
      const seq = view.live?.seq ?? view.session.head + 1
      const retry = { attempt, delayMillis, reason }
      return { ...view, live: { ...blank(runId, seq, view.live?.since ?? view.seenAt), retry } }
    }
    default:
      return view
  }
}

/** Applies an event to a view. */
export const fold = (view: SessionView, event: Event): SessionView => {
  if (!("cursor" in event)) return ephemeral(view, event)
  if (event.cursor <= view.cursor) return view
  return {
    ...durable({ ...view, seenAt: Math.max(view.seenAt, event.at) }, event),
    cursor: event.cursor
  }
}

/** The activity of the session. */
export const activityOf = ({ queued, questions, run }: SessionView): Activity => {
  if (run === null) return queued.length > 0 ? "queued" : "idle"
  if (questions.length > 0) return "asks"
  return run.left ? "crashed" : "running"
}

/** Whether the run waits for the first word of its next step. */
export const isThinking = ({ live, run, session, steps }: SessionView): boolean => {
  if (run === null || run.left || live !== null) return false
  const last = steps.at(-1)
  if (last === undefined || session.head > last.seq + last.calls.length) return true
  return last.calls.length > 0 && last.calls.every(({ outcome }) => outcome !== null)
}
