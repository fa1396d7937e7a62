/**
 * The live part of a run that goes on in another process, built from the events that this process sends: what it has
 * sent so far comes right after the durable event at `cursor`. Pure.
 */
import * as Live from "./Live.js"
import type { Cursor, Seq } from "./Session.js"
import { type Durable, type Ephemeral, isDurable, type SessionEvent } from "./SessionEvent.js"
import * as StepDraft from "./StepDraft.js"

export interface Mirror {
  readonly cursor: Cursor
  /** Null while nothing has been received about a run. */
  readonly live: Live.Live | null
  /** A retry that waits for its step: the step's place comes with its first text. */
  readonly retry: Live.Retry | null
  /** The version of the newest progress that was received; it keeps counting over all runs. */
  readonly version: number
}

/** Returns the mirror of a process that has not sent anything after `cursor` yet. */
export const make = (cursor: Cursor, version = 0): Mirror => ({ cursor, live: null, retry: null, version })

/** Events do not say which model writes a step. */
const model = { provider: "", model: "" }

type Delta = Extract<SessionEvent, { readonly offset: number }>

const lengthOf = ({ step }: Live.Live, event: Delta): number => {
  if (step === null) return 0
  switch (event.type) {
    case "text.delta":
      return StepDraft.text(step.draft).length
    case "reasoning.delta":
      return StepDraft.reasoning(step.draft).length
    case "call.arguments":
      return StepDraft.calls(step.draft).find(({ index }) => index === event.index)?.input.whole.length ?? 0
  }
}

const partOf = (event: Delta): StepDraft.Part => {
  switch (event.type) {
    case "text.delta":
      return { type: "text", id: "text", delta: event.text }
    case "reasoning.delta":
      return { type: "reasoning", id: "reasoning", delta: event.text }
    case "call.arguments":
      return { type: "call.delta", index: event.index, name: event.name, delta: event.text }
  }
}

/** The step at a place: the one that is being written, or a new one. */
const stepAt = (live: Live.Live, seq: Seq, retry: Live.Retry | null): Live.Live => {
  const begun = live.step?.seq === seq ? live : Live.beginStep(live, seq, model)
  return retry === null ? begun : Live.retryStep(begun, retry)
}

const write = (mirror: Mirror, live: Live.Live, event: Delta): Mirror => {
  const at = stepAt(live, event.seq, mirror.retry)
  // A text that begins again replaces all that was there.
  const open = event.offset < lengthOf(at, event) ? Live.beginStep(at, event.seq, model) : at
  const named = event.type === "call.arguments" ? Live.nameCall(open, event.index, event.callId) : open
  return { ...mirror, retry: null, live: Live.addPart(named, partOf(event)) }
}

const ofRun = ({ live, version }: Mirror, runId: Live.Live["runId"]): Live.Live =>
  live?.runId === runId ? live : { ...Live.start(runId), version }

const tellWritten = (mirror: Mirror, event: Ephemeral): Mirror => {
  switch (event.type) {
    case "text.delta":
    case "reasoning.delta":
    case "call.arguments":
      return write(mirror, ofRun(mirror, event.runId), event)
    case "call.progress": {
      const live = Live.setProgress(ofRun(mirror, event.runId), event.callId, event.text)
      return { ...mirror, live, version: live.version }
    }
    case "run.retrying": {
      const { attempt, delayMillis, reason } = event
      const retry = { attempt, delayMillis, reason }
      const live = ofRun(mirror, event.runId)
      return live.step === null || live.step.stored
        ? { ...mirror, live, retry }
        : { ...mirror, live: Live.retryStep(live, retry) }
    }
  }
}

const tellStored = (mirror: Mirror, event: Durable): Mirror => {
  const at = { ...mirror, cursor: event.cursor }
  const { live } = mirror
  switch (event.type) {
    case "run.started":
      return { ...at, live: ofRun(mirror, event.runId), retry: null }
    case "run.ended":
    case "run.released":
    case "session.deleted":
      return { ...at, live: null, retry: null }
    case "message.appended":
      return live !== null && live.step?.seq === event.seq ? { ...at, live: Live.endStep(live) } : at
    case "call.finished":
      return live === null ? at : { ...at, live: Live.endCall(live, event.callId) }
    default:
      return at
  }
}

/** Returns the mirror after an event. */
export const tell = (mirror: Mirror, event: SessionEvent): Mirror =>
  isDurable(event) ? tellStored(mirror, event) : tellWritten(mirror, event)
