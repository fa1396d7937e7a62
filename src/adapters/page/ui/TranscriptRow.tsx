/** One row of the transcript: a message, a call with its result, what is being written, or how the run ended. */
import { useState } from "preact/hooks"
import * as CallInput from "../model/CallInput.js"
import * as LineDiff from "../model/LineDiff.js"
import type { Row } from "../model/Rows.js"
import type { Ended, Live } from "../model/SessionView.js"
import { finishingOrder, type Step, stateOf } from "../model/Strands.js"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import { type Entry, isCall, isDiff, isFile, isJson, isReasoning, isText, type Result } from "../model/Wire.js"
import * as Pointing from "../state/Pointing.js"
import { useStore } from "../state/Store.js"
import { File } from "./Files.js"
import { Folded } from "./Folded.js"
import { Diff, Input } from "./Input.js"
import { Mark } from "./Mark.js"
import { Markdown } from "./Markdown.js"
import { memo } from "./memo.js"
import { Part, Shown } from "./Shown.js"

type Of<K extends Row["kind"]> = Extract<Row, { readonly kind: K }>

const Place = ({ seq, sessionId }: { readonly sessionId: string; readonly seq: number }) => (
  <a class="place" href={`#/${sessionId}/${seq}`} title="Link to this place">
    {seq}
  </a>
)

const Reasoning = ({ isOpen = false, text }: { readonly text: string; readonly isOpen?: boolean }) => {
  const [open, toggle] = useState(isOpen)
  return (
    <div class="reasoning">
      <button class="quiet" onClick={() => toggle(!open)} aria-expanded={open}>
        {open ? "▾" : "▸"} reasoning <span class="note">{Words.count(text.length)} characters</span>
      </button>
      {open ? (
        <div class="thought">
          <Shown text={text} />
        </div>
      ) : null}
    </div>
  )
}

/** Longer texts are folded. */
const mostShown = 20_000

const Parts = ({ entry, sessionId }: { readonly sessionId: string; readonly entry: Entry }) => {
  const { message } = entry
  if (message.role === "other") {
    return <p class="note">A message of a kind that this version does not know: {Visible.line(message.unknownRole)}</p>
  }
  if (message.role === "tool") return <Folded text={message.text} label="result" />
  return (
    <>
      {message.parts.map((part) => {
        if (isText(part)) {
          if (part.text.length > mostShown) return <Folded text={part.text} lines={40} label="text" />
          return message.role === "user" ? (
            <div class="said" dir="auto">
              <Part text={part.text} />
            </div>
          ) : (
            <Markdown text={part.text} />
          )
        }
        if (isReasoning(part)) return part.text === "" ? null : <Reasoning text={part.text} />
        if (isFile(part)) return <File sessionId={sessionId} file={part} />
        return isCall(part) ? null : (
          <p class="note">A part of a kind that this version does not know: {Visible.line(part.type)}</p>
        )
      })}
    </>
  )
}

export const MessageRow = memo(({ row, sessionId }: { readonly row: Of<"message">; readonly sessionId: string }) => {
  const { entry, seq } = row
  if (entry === undefined) {
    return (
      <div class="row waits">
        <Place sessionId={sessionId} seq={seq} />
        <p class="note">Loading…</p>
      </div>
    )
  }
  const { actor, message } = entry
  return (
    <div class={`row ${message.role}`}>
      <Place sessionId={sessionId} seq={seq} />
      <div class="body">
        {message.role === "user" ? <p class="who">{actor === null ? "you" : Visible.line(actor)}</p> : null}
        <Parts sessionId={sessionId} entry={entry} />
        {message.role === "assistant" && message.partial === true ? <p class="note bad">✕ Cut off here.</p> : null}
        {message.role === "assistant" && message.parts.length === 0 ? <p class="note">The answer is empty.</p> : null}
      </div>
    </div>
  )
})

const ResultParts = ({ result, sessionId }: { readonly sessionId: string; readonly result: Result }) => (
  <>
    {(result.parts ?? []).map((part) => {
      if (isDiff(part)) {
        return (
          <div class="changed">
            <p class="note">
              <Shown text={part.path} />
            </p>
            <Diff before={part.before} after={part.after} />
          </div>
        )
      }
      if (isFile(part)) return <File sessionId={sessionId} file={part} />
      return isJson(part) ? (
        <Folded text={JSON.stringify(part.value, null, 2)} label="value" lines={6} />
      ) : (
        <p class="note">A part of a kind that this version does not know: {Visible.line(part.type)}</p>
      )
    })}
    {result.assetId === undefined ? null : (
      <File
        sessionId={sessionId}
        file={{ assetId: result.assetId, mediaType: "text/plain", name: "the full output" }}
      />
    )}
  </>
)

const Changed = ({ result }: { readonly result: Result }) => (
  <>
    {(result.parts ?? []).filter(isDiff).map(({ after, before }) => {
      const { added, removed } = LineDiff.count(LineDiff.of(before, after))
      return (
        <span class="counts">
          <b class="plus">+{added}</b> <b class="minus">−{removed}</b>
        </span>
      )
    })}
  </>
)

const took = (from: number | null, to: number | null): string =>
  from === null || to === null ? "" : Words.duration(to - from)

/** A call, with its result once it has one. */
export const CallRow = memo(
  ({
    isOpen,
    progress,
    row,
    sessionId,
    step,
    toggle
  }: {
    readonly row: Of<"call">
    readonly step: Step | undefined
    readonly progress: string | undefined
    readonly sessionId: string
    readonly isOpen: boolean
    readonly toggle: (key: string) => void
  }) => {
    const { call, entry, input, key, seq } = row
    const isHovered = useStore(Pointing.hovered, (id) => id === call.callId)
    const isPeeked = useStore(Pointing.peeked, (at) => at === seq)
    const state = stateOf(call)
    const result = entry?.message.role === "tool" ? entry.message : null
    const place = finishingOrder(step?.calls ?? []).get(seq)
    const title = call.display.title ?? (input === undefined ? "" : CallInput.summary(input).slice(0, 300))
    const isShown = isOpen || isPeeked
    return (
      <div
        class={`row call ${state} ${isHovered ? "hovered" : ""}`}
        onMouseEnter={() => Pointing.hovered.set(call.callId)}
        onMouseLeave={() => Pointing.hovered.set(null)}
      >
        <Place sessionId={sessionId} seq={seq} />
        <div class="body">
          <button class="head" onClick={() => toggle(key)} aria-expanded={isShown}>
            <Mark state={state} />
            <b class="tool">{Visible.line(call.name)}</b>
            <span class="title">{Visible.line(title)}</span>
            {result === null ? null : <Changed result={result} />}
            <span class="state">{state === "finished" ? took(call.startedAt, call.endedAt) : Words.states[state]}</span>
            <span class="order" title={place === undefined ? undefined : `Finishing order in its step: ${place}`}>
              {place === undefined ? "" : `→${place}`}
            </span>
          </button>
          {progress === undefined || result !== null ? null : <p class="progress">{Visible.line(progress)}</p>}
          {isShown ? (
            <div class="opened">
              {input === undefined ? <p class="note">Its input is not loaded yet.</p> : <Input input={input} />}
              {result === null ? null : (
                <>
                  {result.text === "" ? <p class="note">No output.</p> : <Folded text={result.text} label="result" />}
                  <ResultParts sessionId={sessionId} result={result} />
                </>
              )}
            </div>
          ) : state === "failed" && result !== null ? (
            <p class="reason">{Visible.line(result.text).slice(0, 300)}</p>
          ) : null}
        </div>
      </div>
    )
  }
)

/** Longer texts are shown as they are while they are written: Markdown is parsed again with each piece. */
const mostLive = 8000

/** What is being written. */
const Written = ({ live }: { readonly live: Live }) => (
  <>
    {live.retry === null || live.text !== "" ? null : (
      <p class="note">
        Trying again (attempt {live.retry.attempt}): {Visible.line(live.retry.reason)}
      </p>
    )}
    {live.reasoning === "" ? null : <Reasoning text={live.reasoning} isOpen={live.text === ""} />}
    {live.text === "" ? null : live.text.length > mostLive ? (
      <div class="said">
        <Shown text={live.text} />
      </div>
    ) : (
      <Markdown text={live.text} />
    )}
    {live.calls.map(({ input, name }) => (
      <p class="arguments">
        <b>{Visible.line(name)}</b> <Shown text={input.slice(-400)} />
      </p>
    ))}
  </>
)

/** The step that is being written, or waited for. */
export const LiveRow = ({ live, seq }: { readonly live: Live | null; readonly seq: number }) => (
  <div class="row assistant live">
    <span class="place">{seq}</span>
    <div class="body" aria-busy="true">
      {live === null ? null : <Written live={live} />}
      <i class="caret" aria-hidden="true" />
      <span class="unseen">{live === null ? "Waiting for the model" : "The model is writing"}</span>
    </div>
  </div>
)

/** Why the run does not go on. */
export const EndedRow = ({ ended, resume }: { readonly ended: Ended; readonly resume: () => void }) => (
  <div class="row ended">
    <span class="place" />
    <div class="body">
      <p>
        <b>{Words.stops[ended.stopReason]}</b>
        {ended.detail === null ? "" : `: ${Visible.line(ended.detail)}`}
      </p>
      <button onClick={resume}>Resume</button>
    </div>
  </div>
)
