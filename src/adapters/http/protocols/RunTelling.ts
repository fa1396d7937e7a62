/**
 * One run as the protocols of front ends tell it: steps with their parts, calls and results, each with its beginning
 * and end. Pure. It reads the run's events, with entries, from the run's first event on, and says the same about a run
 * that is replayed as about one that was watched, except for what was written in vain.
 *
 * A step's message supplies what its deltas left out, so it makes no difference when a watcher came. What was written
 * in vain, by a try that failed or an engine that was closed, is reported as void: nothing that was told is taken back.
 */
import {
  type AssistantMessage,
  type CallId,
  callsOf,
  isReasoning,
  isText,
  type ResultMessage
} from "../../../domain/Message.js"
import type { AnyVerdict, QuestionId } from "../../../domain/Permission.js"
import type { RunId } from "../../../domain/Run.js"
import type { OfType, SessionEvent } from "../../../domain/SessionEvent.js"

/** A call as its message has it. */
interface Call {
  readonly callId: CallId
  readonly name: string
  readonly input: string
}

type Kind = "text" | "reasoning"

/** What is told. `id` is a part's id, the same each time it is told. */
export type Told =
  | { readonly type: "run.began"; readonly runId: RunId }
  | { readonly type: "step.began"; readonly seq: number }
  | { readonly type: "step.ended"; readonly seq: number }
  | { readonly type: "part.began"; readonly kind: Kind; readonly id: string }
  | { readonly type: "part.grew"; readonly kind: Kind; readonly id: string; readonly text: string }
  | { readonly type: "part.ended"; readonly kind: Kind; readonly id: string; readonly isVoid: boolean }
  | { readonly type: "call.began"; readonly seq: number; readonly callId: CallId; readonly name: string }
  | { readonly type: "call.grew"; readonly callId: CallId; readonly text: string }
  /** `rest` is the part of the call's input that was not told before. */
  | { readonly type: "call.read"; readonly call: Call; readonly rest: string }
  | { readonly type: "call.void"; readonly callId: CallId; readonly name: string }
  | { readonly type: "asked"; readonly call: Call; readonly questionId: QuestionId }
  | { readonly type: "answered"; readonly call: Call; readonly questionId: QuestionId; readonly verdict: AnyVerdict }
  | { readonly type: "progress"; readonly callId: CallId; readonly text: string }
  | { readonly type: "result"; readonly message: ResultMessage; readonly seq: number; readonly wasAsked: boolean }
  | { readonly type: "run.ended"; readonly end: OfType<"run.ended"> }
  | { readonly type: "session.deleted" }

/** The id of a step's part. */
export const partId = (seq: number, nth: number): string => `${seq}.${nth}`

/** A step's texts in order, with neighbours of the same kind joined. */
export const partsOf = (message: AssistantMessage): ReadonlyArray<{ readonly kind: Kind; readonly text: string }> => {
  const parts: Array<{ kind: Kind; text: string }> = []
  for (const part of message.parts) {
    if (!(isText(part) || isReasoning(part)) || part.text === "") continue
    const kind = isText(part) ? "text" : "reasoning"
    const last = parts.at(-1)
    if (last?.kind === kind) last.text += part.text
    else parts.push({ kind, text: part.text })
  }
  return parts
}

/** What was told about a step. */
interface Step {
  readonly seq: number
  open: { readonly kind: Kind; readonly id: string } | null
  parts: number
  readonly lengths: Record<Kind, number>
  /** Calls that were begun, and how much of their input was told. */
  readonly calls: Map<CallId, { readonly name: string; length: number }>
}

/** Tells one run. The function that it returns must be called with each of the run's events, in order. */
export const make = (runId: RunId): ((event: SessionEvent) => ReadonlyArray<Told>) => {
  let step: Step | null = null
  const read = new Map<CallId, Call>()
  const asked = new Set<CallId>()
  const results = new Set<CallId>()

  const endPart = (step: Step, isVoid: boolean): ReadonlyArray<Told> => {
    if (step.open === null) return []
    const { id, kind } = step.open
    step.open = null
    return [{ type: "part.ended", kind, id, isVoid }]
  }

  const endStep = (): ReadonlyArray<Told> => {
    if (step === null) return []
    const told: ReadonlyArray<Told> = [
      ...endPart(step, false),
      ...voidCalls(step),
      { type: "step.ended", seq: step.seq }
    ]
    step = null
    return told
  }

  const voidCalls = (step: Step): ReadonlyArray<Told> => {
    const told = [...step.calls].map(([callId, { name }]): Told => ({ type: "call.void", callId, name }))
    step.calls.clear()
    return told
  }

  /** The step whose message has this place, and what is told about its beginning. */
  const stepAt = (seq: number): readonly [Step, ReadonlyArray<Told>] => {
    if (step?.seq === seq) return [step, []]
    const before = endStep()
    step = { seq, open: null, parts: 0, lengths: { text: 0, reasoning: 0 }, calls: new Map() }
    return [step, [...before, { type: "step.began", seq }]]
  }

  const write = (step: Step, kind: Kind, text: string): ReadonlyArray<Told> => {
    if (text === "") return []
    const told: Array<Told> = []
    if (step.open?.kind !== kind) {
      told.push(...endPart(step, false))
      step.open = { kind, id: partId(step.seq, step.parts++) }
      told.push({ type: "part.began", kind, id: step.open.id })
    }
    step.lengths[kind] += text.length
    told.push({ type: "part.grew", kind, id: step.open.id, text })
    return told
  }

  /** The step begins again. */
  const startOver = (): ReadonlyArray<Told> => {
    if (step === null) return []
    const told = [...endPart(step, true), ...voidCalls(step)]
    step.lengths.text = 0
    step.lengths.reasoning = 0
    return told
  }

  const grow = (kind: Kind, { offset, seq, text }: OfType<"text.delta" | "reasoning.delta">) => {
    const [step, began] = stepAt(seq)
    return [...began, ...write(step, kind, text.slice(Math.max(0, step.lengths[kind] - offset)))]
  }

  const growCall = ({ callId, name, offset, seq, text }: OfType<"call.arguments">): ReadonlyArray<Told> => {
    const [step, began] = stepAt(seq)
    const known = step.calls.get(callId)
    const told: Array<Told> = [...began]
    if (known === undefined) told.push(...endPart(step, false), { type: "call.began", seq, callId, name })
    const more = text.slice(Math.max(0, (known?.length ?? 0) - offset))
    step.calls.set(callId, { name, length: (known?.length ?? 0) + more.length })
    if (more !== "") told.push({ type: "call.grew", callId, text: more })
    return told
  }

  /** Tells what a step's message has beyond what was told before. */
  const store = (seq: number, message: AssistantMessage): ReadonlyArray<Told> => {
    const [step, began] = stepAt(seq)
    const told: Array<Told> = [...began]
    const at: Record<Kind, number> = { text: 0, reasoning: 0 }
    for (const { kind, text } of partsOf(message)) {
      told.push(...write(step, kind, text.slice(Math.max(0, step.lengths[kind] - at[kind]))))
      at[kind] += text.length
    }
    told.push(...endPart(step, false))
    for (const { callId, input, name } of callsOf(message)) {
      const call = { callId, name, input }
      const begun = step.calls.get(callId)
      if (begun === undefined) told.push({ type: "call.began", seq, callId, name })
      step.calls.delete(callId)
      read.set(callId, call)
      told.push({ type: "call.read", call, rest: input.slice(begun?.length ?? 0) })
    }
    told.push(...voidCalls(step))
    return told
  }

  const finish = (seq: number, message: ResultMessage): ReadonlyArray<Told> => {
    if (results.has(message.callId)) return []
    results.add(message.callId)
    return [{ type: "result", message, seq, wasAsked: asked.has(message.callId) }]
  }

  return (event) => {
    if (event.type === "session.deleted") return [...endStep(), { type: "session.deleted" }]
    if (!("runId" in event) || event.runId !== runId) return []
    switch (event.type) {
      case "run.started":
        return [{ type: "run.began", runId }]
      case "text.delta":
        return grow("text", event)
      case "reasoning.delta":
        return grow("reasoning", event)
      case "call.arguments":
        return growCall(event)
      case "run.retrying":
      case "run.released":
        return startOver()
      case "message.appended": {
        const message = event.entry?.message
        if (message?.role === "assistant") return store(event.seq, message)
        return message?.role === "tool" ? finish(event.seq, message) : []
      }
      case "permission.asked": {
        const call = read.get(event.callId)
        asked.add(event.callId)
        return call === undefined ? [] : [{ type: "asked", call, questionId: event.questionId }]
      }
      case "permission.answered": {
        const call = read.get(event.callId)
        const { questionId, verdict } = event
        return call === undefined ? [] : [{ type: "answered", call, questionId, verdict }]
      }
      case "call.progress":
        return results.has(event.callId) || !read.has(event.callId)
          ? []
          : [{ type: "progress", callId: event.callId, text: event.text }]
      case "call.finished":
        return event.entry?.message.role === "tool" ? finish(event.seq, event.entry.message) : []
      case "run.ended":
        return [...endStep(), { type: "run.ended", end: event }]
      case "run.queued":
      case "call.started":
      case "other":
        return []
    }
  }
}
