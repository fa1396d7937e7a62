/**
 * The strands of a session: a group per step, a lane per call. The lanes of a step share a time scale on which waits
 * are shortened; each shows its place in the record and its order of finishing. Only the lanes in sight are in the
 * page.
 */
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks"
import * as Scale from "../model/Scale.js"
import { isThinking, type SessionView } from "../model/SessionView.js"
import { type Call, callsOf, finishingOrder, isTrouble, ordered, stateOf, type Step } from "../model/Strands.js"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import * as Heights from "../model/Heights.js"
import * as Pointing from "../state/Pointing.js"
import { useStore } from "../state/Store.js"
import { Mark } from "./Mark.js"
import { memo } from "./memo.js"

const stepHeight = 40
const laneHeight = 24

type Line =
  | { readonly kind: "step"; readonly key: string; readonly step: Step }
  | { readonly kind: "lane"; readonly key: string; readonly step: Step; readonly call: Call }
  | { readonly kind: "writing"; readonly key: string; readonly seq: number; readonly since: number }

const writingOf = (view: SessionView): ReadonlyArray<Line> => {
  const { live, seenAt, session } = view
  if (live === null && !isThinking(view)) return []
  return [{ kind: "writing", key: "writing", seq: live?.seq ?? session.head + 1, since: live?.since ?? seenAt }]
}

const linesOf = (steps: ReadonlyArray<Step>, order: "asked" | "finished"): ReadonlyArray<Line> =>
  steps.flatMap((step): ReadonlyArray<Line> => [
    { kind: "step", key: `s${step.seq}`, step },
    ...ordered(step.calls, order).map((call) => ({ kind: "lane" as const, key: `c${call.seq}`, step, call }))
  ])

/** The time, updated a few times a second while something runs. */
const useNow = (isRunning: boolean, seenAt: number): number => {
  const [now, tick] = useState(() => Date.now())
  useEffect(() => {
    if (!isRunning) return
    const timer = window.setInterval(() => tick(Date.now()), 250)
    return () => window.clearInterval(timer)
  }, [isRunning])
  return isRunning ? Math.max(now, seenAt) : seenAt
}

const tokens = ({ inputTokens, outputTokens }: Step["usage"]): string =>
  inputTokens === null && outputTokens === null
    ? ""
    : `${inputTokens === null ? "?" : Words.count(inputTokens)} → ${outputTokens === null ? "?" : Words.count(outputTokens)}`

const StepHead = memo(({ step }: { readonly step: Step }) => (
  <button class="step" onClick={() => Pointing.goTo(step.seq)} title="Go to this step">
    <b class="number">#{step.seq}</b>
    <span class="model">{Visible.line(step.model.model)}</span>
    <span class="figures">
      {tokens(step.usage) === "" ? null : <span title="Tokens in and out">{tokens(step.usage)}</span>}
      {Words.cost(step.usage.costMicroUsd ?? 0) === "" ? null : (
        <span title="Cost">{Words.cost(step.usage.costMicroUsd ?? 0)}</span>
      )}
      {step.startedAt === null ? null : (
        <span title="Time the model took">{Words.duration(step.endedAt - step.startedAt)}</span>
      )}
    </span>
  </button>
))

const Writing = ({ line, now }: { readonly line: Line; readonly now: number }) =>
  line.kind !== "writing" ? null : (
    <p class="step writing">
      <b class="number">#{line.seq}</b>
      <Mark state="running" />
      <span class="model">model</span>
      <span class="figures">{Words.duration(now - line.since)}</span>
    </p>
  )

const percent = (part: number): number => Math.round(part * 1000) / 10

const Lane = ({
  call,
  now,
  place,
  scale
}: {
  readonly call: Call
  readonly scale: Scale.Scale
  readonly place: number | undefined
  readonly now: number
}) => {
  const isHovered = useStore(Pointing.hovered, (id) => id === call.callId)
  const timer = useRef(0)
  const state = stateOf(call)
  const [from, start, end] = [
    scale.at(call.askedAt),
    scale.at(call.startedAt ?? call.endedAt ?? now),
    scale.at(call.endedAt ?? now)
  ]
  const time = call.startedAt === null ? "" : Words.duration((call.endedAt ?? now) - call.startedAt)
  const point = () => {
    Pointing.hovered.set(call.callId)
    window.clearTimeout(timer.current)
    timer.current = window.setTimeout(() => Pointing.peeked.set(call.seq), 180)
  }
  const leave = () => {
    window.clearTimeout(timer.current)
    Pointing.hovered.set(null)
  }
  useEffect(() => () => window.clearTimeout(timer.current), [])
  return (
    <button
      class={`lane ${state} ${isHovered ? "hovered" : ""}`}
      onMouseEnter={point}
      onMouseLeave={leave}
      // A lane that was clicked gets the focus again with its window: that points at nothing.
      onFocus={({ currentTarget }) => {
        if (currentTarget.matches(":focus-visible")) point()
      }}
      onBlur={() => {
        leave()
        Pointing.peeked.set(null)
      }}
      onClick={() => Pointing.goTo(call.seq)}
      title={Visible.line(call.display.title ?? call.name)}
    >
      <span class="number">#{call.seq}</span>
      <Mark state={state} />
      <span class="label">
        <b>{Visible.line(call.name)}</b> {Visible.line(call.display.title ?? "")}
      </span>
      <span class="track">
        {start - from > 0.004 ? (
          <i class="wait" style={{ left: `${percent(from)}%`, width: `${percent(start - from)}%` }} />
        ) : null}
        {call.startedAt === null ? (
          state === "asked" || state === "pending" ? (
            <i class="wait" style={{ left: `${percent(from)}%`, width: `${percent(Math.max(0.06, 1 - from))}%` }} />
          ) : null
        ) : (
          <i class="bar" style={{ left: `${percent(start)}%`, width: `${percent(Math.max(0.015, end - start))}%` }} />
        )}
      </span>
      <span class="time">
        {state === "asked" || state === "pending" ? Words.states[state] : time || Words.states[state]}
      </span>
      <span class="order">{place === undefined ? "" : `→${place}`}</span>
      <span class="unseen">{Words.states[state]}</span>
    </button>
  )
}

const Totals = ({ steps, view }: { readonly view: SessionView; readonly steps: ReadonlyArray<Step> }) => {
  const calls = callsOf(steps)
  const { usage } = view.session
  const model = steps.reduce((sum, { endedAt, startedAt }) => sum + (startedAt === null ? 0 : endedAt - startedAt), 0)
  const tools = steps.reduce((sum, step) => sum + Scale.of(step.calls, view.seenAt).busy, 0)
  const failed = calls.filter(isTrouble).length
  return (
    <dl class="totals">
      <div>
        <dt>steps</dt>
        <dd>{steps.length}</dd>
      </div>
      <div>
        <dt>calls</dt>
        <dd>
          {calls.length}
          {failed === 0 ? null : <span class="bad"> ✕{failed}</span>}
        </dd>
      </div>
      <div
        title={usage.unknownSteps === 0 ? undefined : `${Words.counted(usage.unknownSteps, "step")} reported no tokens`}
      >
        <dt>tokens in / out</dt>
        <dd>
          {usage.steps > 0 && usage.unknownSteps === usage.steps
            ? "unknown"
            : `${Words.count(usage.inputTokens)} / ${Words.count(usage.outputTokens)}${usage.unknownSteps === 0 ? "" : " +"}`}
        </dd>
      </div>
      {usage.costMicroUsd === 0 ? null : (
        <div title="Of the steps whose model had prices in the server's configuration">
          <dt>cost</dt>
          <dd>{Words.cost(usage.costMicroUsd)}</dd>
        </div>
      )}
      <div>
        <dt>model / tools</dt>
        <dd>
          {steps.length > 0 && steps.every(({ startedAt }) => startedAt === null)
            ? "unknown"
            : `${Words.duration(model)} / ${Words.duration(tools)}`}
        </dd>
      </div>
    </dl>
  )
}

export const Strands = ({
  order,
  setOrder,
  view
}: {
  readonly view: SessionView
  readonly order: "asked" | "finished"
  readonly setOrder: (order: "asked" | "finished") => void
}) => {
  const { steps } = view
  const box = useRef<HTMLDivElement>(null)
  const [, redraw] = useReducer<number, undefined>((n) => n + 1, 0)
  const atEnd = useRef(true)
  const stored = useMemo(() => linesOf(steps, order), [steps, order])
  const writing = writingOf(view)
  const lines = useMemo(() => [...stored, ...writing], [stored, writing[0]?.key])
  const offsets = useMemo(
    () =>
      Heights.offsets(
        lines.map(({ key }) => key),
        new Map(),
        (index) => (lines[index]?.kind === "lane" ? laneHeight : stepHeight)
      ),
    [lines]
  )
  const now = useNow(view.run !== null && !view.run.left, view.seenAt)
  const total = offsets[lines.length] ?? 0
  const height = box.current?.clientHeight ?? 600
  const top = atEnd.current ? Math.max(0, total - height) : (box.current?.scrollTop ?? 0)
  const [first, last] = Heights.between(offsets, top, top + height, 12)

  useLayoutEffect(() => {
    if (box.current !== null && atEnd.current) box.current.scrollTop = total
  })
  useEffect(() => redraw(undefined), [])
  useLayoutEffect(() => Pointing.leave, [])
  useEffect(() => {
    if (box.current === null) return
    const sizes = new ResizeObserver(() => redraw(undefined))
    sizes.observe(box.current)
    return () => sizes.disconnect()
  }, [])
  useEffect(
    () =>
      Pointing.hovered.subscribe(() => {
        const element = box.current
        const callId = Pointing.hovered.value
        if (element === null || callId === null || element.matches(":hover")) return
        const index = lines.findIndex((line) => line.kind === "lane" && line.call.callId === callId)
        if (index === -1) return
        const at = offsets[index] ?? 0
        if (at >= element.scrollTop && at + laneHeight <= element.scrollTop + element.clientHeight) return
        atEnd.current = false
        element.scrollTop = Math.max(0, at - element.clientHeight / 2)
      }),
    [lines, offsets]
  )

  const scrolled = () => {
    const element = box.current
    if (element === null) return
    atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 8
    redraw(undefined)
  }

  const shown = lines.slice(first, last)
  const scales = new Map<number, readonly [Scale.Scale, ReadonlyMap<number, number>]>()
  const ofStep = (step: Step) => {
    const known = scales.get(step.seq)
    if (known !== undefined) return known
    const made = [Scale.of(step.calls, now), finishingOrder(step.calls)] as const
    scales.set(step.seq, made)
    return made
  }

  return (
    <section class="strands" aria-label="Strands">
      <header>
        <h2>Strands</h2>
        <div class="switch" role="group" aria-label="Order of the lanes">
          <button aria-pressed={order === "asked"} onClick={() => setOrder("asked")}>
            call order
          </button>
          <button aria-pressed={order === "finished"} onClick={() => setOrder("finished")}>
            completion
          </button>
        </div>
      </header>
      <Totals view={view} steps={steps} />
      <div
        class="lanes"
        ref={box}
        onScroll={scrolled}
        onMouseLeave={() => Pointing.peeked.set(null)}
        tabIndex={0}
        role="region"
        aria-label="Steps and calls"
      >
        {lines.length === 0 ? (
          <p class="empty">
            Each model call is a group here. Each tool call is a lane that shows when it was asked for, ran and
            finished.
          </p>
        ) : null}
        <div style={{ height: `${offsets[first] ?? 0}px` }} />
        {shown.map((line) => {
          if (line.kind === "step") return <StepHead key={line.key} step={line.step} />
          if (line.kind === "writing") return <Writing key={line.key} line={writing[0] ?? line} now={now} />
          const [scale, places] = ofStep(line.step)
          return <Lane key={line.key} call={line.call} scale={scale} now={now} place={places.get(line.call.seq)} />
        })}
        <div style={{ height: `${Math.max(0, total - (offsets[last] ?? total))}px` }} />
      </div>
    </section>
  )
}
