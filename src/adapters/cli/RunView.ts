/**
 * A run as people watch it: what each event adds to the output, and what the run is doing at the moment. Pure.
 *
 * A step's text is shown as it arrives; what did not arrive as deltas is added when its message is stored, so the
 * output has each step's whole text. After a failed try the text is shown when it is stored, so that what several tries
 * begin with is shown once. A call is shown when it ends, so the calls are in the order in which they ended, with the
 * files that they returned or changed.
 */
import { type CallId, callsOf, filesOf, isDiff, type Message, textOf } from "../../domain/Message.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import type { RunId } from "../../domain/Run.js"
import type { Seq } from "../../domain/Session.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as CallText from "./CallText.js"
import * as DiffText from "./DiffText.js"
import type { Work } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Follow.js"
import * as SessionTexts from "./texts/Sessions.js"

interface RunningCall {
  readonly summary: string
  /** Milliseconds since the epoch; null until it starts. */
  readonly startedAt: number | null
  readonly progress: string
}

export interface Options {
  readonly ansi: Ansi
  /** How wide a line about a call can be. */
  readonly columns: number
}

export interface RunView extends Options {
  /** Whether the step's text waits until it is stored. */
  readonly isRetried: boolean
  /** How much of the step's text was shown, in UTF-16 units. */
  readonly shown: number
  /** The text that is shown, so far. */
  readonly parts: TerminalText.Parts
  /** Whether the output is in the middle of a line. */
  readonly isMidLine: boolean
  /** The run whose beginning was seen; null when it is followed from its middle. */
  readonly runId: RunId | null
  /** Calls without a result. */
  readonly calls: ReadonlyMap<CallId, RunningCall>
  /** What the model is doing. */
  readonly activity: string
}

export const make = (options: Options): RunView => ({
  ...options,
  isRetried: false,
  shown: 0,
  parts: TerminalText.begin,
  isMidLine: false,
  runId: null,
  calls: new Map(),
  activity: ""
})

/** The message that `next` needs with an event; null for none. */
export const wants = (event: SessionEvent): Seq | null =>
  (event.type === "message.appended" && event.role === "assistant") || event.type === "call.finished" ? event.seq : null

type Next = readonly [output: string, view: RunView]

const addText = (view: RunView, text: string): Next => {
  const [shown, parts] = TerminalText.next(view.parts, text)
  const isMidLine = shown === "" ? view.isMidLine : !shown.endsWith("\n")
  return [shown, { ...view, shown: view.shown + text.length, parts, isMidLine, activity: "" }]
}

/** Ends the line that the output is in. */
const endLine = (view: RunView): Next => {
  const rest = TerminalText.end(view.parts)
  const isMidLine = view.isMidLine || rest !== ""
  return [`${rest}${isMidLine ? "\n" : ""}`, { ...view, parts: TerminalText.begin, isMidLine: false }]
}

const addLine = (view: RunView, line: string): Next => {
  const [before, next] = endLine(view)
  return [before + line, next]
}

const setCall = (view: RunView, callId: CallId, change: Partial<RunningCall>): RunView => {
  const call = { summary: "", startedAt: null, progress: "", ...view.calls.get(callId), ...change }
  return { ...view, calls: new Map(view.calls).set(callId, call) }
}

/** Adds a message's calls to the view. */
export const withCalls = (view: RunView, message: Message): RunView =>
  callsOf(message).reduce(
    (view, { callId, input, name }) => setCall(view, callId, { summary: CallText.summary(name, input) }),
    view
  )

const addMessage = (view: RunView, message: Message): Next => {
  const [text, shown] = addText(view, textOf(message).slice(view.shown))
  const [end, ended] = endLine(shown)
  const isPartial = message.role === "assistant" && message.partial === true
  const note = isPartial ? view.ansi.dim(`${Texts.brokeOff}\n`) : ""
  return [text + end + note, withCalls({ ...ended, shown: 0, isRetried: false }, message)]
}

/** The files of a result, each on a line: those that it changed, and those that it returned. */
const resultFiles = ({ ansi }: RunView, message: Message): string =>
  [
    ...(message.role === "tool" ? (message.parts ?? []) : [])
      .filter(isDiff)
      .map((diff) => DiffText.summary(ansi, diff)),
    ...filesOf(message).map(({ assetId, name }) => SessionTexts.file(assetId, name && TerminalText.short(name, 80)))
  ]
    .map((line) => `    ${line}\n`)
    .join("")

const addEnded = (
  view: RunView,
  event: SessionEvent & { readonly type: "call.finished" },
  message: Message | null
): Next => {
  const call = view.calls.get(event.callId)
  const calls = new Map(view.calls)
  calls.delete(event.callId)
  const startedAt = call?.startedAt ?? null
  const line = CallText.ended(view, {
    summary: call?.summary || TerminalText.line(event.name),
    outcome: event.outcome,
    millis: startedAt === null ? null : Math.max(0, event.at - startedAt),
    text: message === null ? "" : textOf(message)
  })
  return addLine({ ...view, calls }, line + (message === null ? "" : resultFiles(view, message)))
}

/** What an event adds to the output. `message` is the one that `wants` names, null when it was not found. */
export const next = (view: RunView, event: SessionEvent, message: Message | null): Next => {
  switch (event.type) {
    case "text.delta":
      if (view.isRetried) return ["", { ...view, activity: Texts.answeringAgain }]
      return addText(view, event.text.slice(Math.max(0, view.shown - event.offset)))
    case "reasoning.delta":
      return ["", { ...view, activity: Texts.thinking }]
    case "call.arguments":
      return ["", { ...view, activity: Texts.writingCall(TerminalText.short(event.name, progressColumns)) }]
    case "call.progress": {
      const progress = TerminalText.short(event.text, progressColumns)
      return ["", view.calls.has(event.callId) ? setCall(view, event.callId, { progress }) : view]
    }
    case "run.retrying": {
      const wait = CallText.duration(event.delayMillis)
      const line = `  ${Texts.retrying(TerminalText.line(event.reason), event.attempt, wait)}\n`
      return addLine({ ...view, shown: 0, isRetried: true, activity: Texts.waitingForModel }, view.ansi.yellow(line))
    }
    case "message.appended":
      // A result: the model is asked again once every call has one.
      if (event.role !== "assistant")
        return ["", { ...view, activity: view.calls.size > 0 ? "" : Texts.waitingForModel }]
      return message === null ? endLine({ ...view, shown: 0 }) : addMessage(view, message)
    case "run.queued":
      return ["", view.runId === null ? { ...view, activity: Texts.waitingForTurn } : view]
    case "run.started":
      return ["", { ...view, runId: event.runId, activity: Texts.waitingForModel }]
    case "call.started":
      return ["", setCall({ ...view, activity: "" }, event.callId, { startedAt: event.at })]
    case "call.finished":
      return addEnded(view, event, message)
    case "run.ended": {
      // A run that only waited is not the run that is shown.
      if (view.runId !== null && view.runId !== event.runId) return ["", view]
      const ended = { ...view, activity: "", calls: new Map<CallId, RunningCall>() }
      return event.stopReason === "cancelled" ? addLine(ended, `  ${Texts.cancelled}\n`) : endLine(ended)
    }
    case "run.released":
      return addLine({ ...view, shown: 0, activity: Texts.waitingForEngine, calls: new Map() }, `  ${Texts.released}\n`)
    case "session.deleted":
      return endLine(view)
    case "other":
      return addLine(
        view,
        view.ansi.dim(`  ${SessionTexts.unknown(TerminalText.short(event.unknownType, progressColumns))}\n`)
      )
    case "session.created":
    case "session.renamed":
    case "session.model":
    case "session.agent":
    case "session.moved":
    case "permission.asked":
    case "permission.answered":
    case "asset.saved":
    case "asset.deleted":
      return ["", view]
  }
}

const progressColumns = 60

/** What the run is doing. */
export const work = ({ activity, calls }: RunView): Work => {
  const all = [...calls.values()]
  const tasks = all.flatMap(({ progress, startedAt, summary }) => {
    if (startedAt === null) return []
    return [{ text: progress === "" ? summary : `${summary} (${progress})`, startedAt }]
  })
  const waiting = all.length - tasks.length
  const status = activity === "" && waiting > 0 ? Texts.callsWaiting(waiting) : activity
  return { tasks, status }
}
