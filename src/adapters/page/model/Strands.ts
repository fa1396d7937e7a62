/**
 * The strands: what a session did, with a group per step and a lane per call. Built from the timeline and kept up to
 * date by events, with the same result either way. A step's calls are in the order in which it asked for them, whatever
 * the order of finishing.
 */
import type { Assistant, Entry, Outcome, TimelineRow } from "./Wire.js"

type TimelineStep = Extract<TimelineRow, { readonly type: "step" }>
type TimelineCall = Extract<TimelineRow, { readonly type: "call" }>

/** A call, at the place of its result. */
export interface Call extends Omit<TimelineCall, "type"> {
  /** The question about it that is still open. */
  readonly questionId: string | null
  /** Whether anybody was asked about it: waiting for a person is not work. */
  readonly wasAsked: boolean
}

/** A model call, at the place of its message. */
export interface Step extends Omit<TimelineStep, "type"> {
  readonly calls: ReadonlyArray<Call>
}

export type State = "pending" | "asked" | "running" | "finished" | "failed" | "interrupted" | "denied" | "not-started"

const ended: Readonly<Record<Outcome, State>> = {
  success: "finished",
  failure: "failed",
  defect: "failed",
  timeout: "failed",
  "invalid-input": "failed",
  "unknown-tool": "failed",
  other: "failed",
  denied: "denied",
  interrupted: "interrupted",
  "never-started": "not-started"
}

export const stateOf = ({ outcome, questionId, startedAt }: Call): State => {
  if (outcome !== null) return ended[outcome]
  if (questionId !== null) return "asked"
  return startedAt === null ? "pending" : "running"
}

/** Whether a person would want to look at it. */
export const isTrouble = (call: Call): boolean => {
  const state = stateOf(call)
  return state === "failed" || state === "interrupted"
}

const noDisplay = { kind: "other", title: null, locations: [] } as const

/** Puts a step at its place. What is already known about its calls is kept. */
export const putStep = (steps: ReadonlyArray<Step>, step: Step): ReadonlyArray<Step> => {
  const at = steps.findLastIndex(({ seq }) => seq <= step.seq)
  const known = at === -1 ? undefined : steps[at]
  if (known?.seq !== step.seq) return steps.toSpliced(at + 1, 0, step)
  const calls = step.calls.map((call) => known.calls.find(({ callId }) => callId === call.callId) ?? call)
  return steps.with(at, { ...step, startedAt: step.startedAt ?? known.startedAt, calls })
}

/** Changes the call at a place; does nothing when the call is unknown. */
export const patchCall = (
  steps: ReadonlyArray<Step>,
  place: { readonly seq: number },
  changes: Partial<Call>
): ReadonlyArray<Step> => {
  const at = steps.findLastIndex(({ seq }) => seq < place.seq)
  const step = steps[at]
  const index = step?.calls.findIndex(({ seq }) => seq === place.seq) ?? -1
  const call = step?.calls[index]
  return step === undefined || call === undefined
    ? steps
    : steps.with(at, { ...step, calls: step.calls.with(index, { ...call, ...changes }) })
}

/** A message as a step. `startedAt` is when its first text was seen. */
export const ofMessage = (entry: Entry, message: Assistant, startedAt: number | null): Step => ({
  seq: entry.seq,
  runId: entry.runId,
  startedAt,
  endedAt: entry.at,
  model: message.model,
  finish: message.finish,
  usage: message.usage,
  partial: message.partial === true,
  calls: message.parts
    .filter((part) => part.type === "call")
    .flatMap((part, index) =>
      "callId" in part && typeof part.callId === "string" && typeof part.name === "string"
        ? [
            {
              seq: entry.seq + 1 + index,
              runId: entry.runId,
              step: entry.seq,
              callId: part.callId,
              name: part.name,
              display: noDisplay,
              askedAt: entry.at,
              startedAt: null,
              endedAt: null,
              outcome: null,
              finished: null,
              questionId: null,
              wasAsked: false
            }
          ]
        : []
    )
})

/** The steps of a timeline. */
export const ofTimeline = (rows: ReadonlyArray<TimelineRow>): ReadonlyArray<Step> => {
  const calls = new Map<number, Array<Call>>()
  for (const row of rows) {
    if (row.type === "step") continue
    const ofStep = calls.get(row.step) ?? []
    const { type: _, ...call } = row
    ofStep.push({ ...call, questionId: null, wasAsked: false })
    calls.set(row.step, ofStep)
  }
  return rows.flatMap((row) => {
    if (row.type === "call") return []
    const { type: _, ...step } = row
    return [{ ...step, calls: calls.get(row.seq) ?? [] }]
  })
}

/** A step's calls, in the order in which they were asked for or in the order in which they finished. */
export const ordered = (calls: ReadonlyArray<Call>, order: "asked" | "finished"): ReadonlyArray<Call> =>
  order === "asked"
    ? calls
    : calls.toSorted((a, b) => (a.finished ?? Infinity) - (b.finished ?? Infinity) || a.seq - b.seq)

/** By place, the position of each call in the order of finishing, from 1. */
export const finishingOrder = (calls: ReadonlyArray<Call>): ReadonlyMap<number, number> =>
  new Map(
    ordered(
      calls.filter(({ finished }) => finished !== null),
      "finished"
    ).map(({ seq }, index) => [seq, index + 1])
  )

/** All calls, in the order of the record. */
export const callsOf = (steps: ReadonlyArray<Step>): ReadonlyArray<Call> => steps.flatMap(({ calls }) => calls)
