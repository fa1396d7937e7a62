import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Live from "../../../src/domain/Live.js"
import * as Watch from "../../../src/domain/Watch.js"
import { CallId } from "../../../src/domain/Message.js"
import { RunId } from "../../../src/domain/Run.js"
import { Cursor, Seq, SessionId } from "../../../src/domain/Session.js"
import type { Ephemeral } from "../../../src/domain/SessionEvent.js"
import * as StepDraft from "../../../src/domain/StepDraft.js"
import * as Usage from "../../../src/domain/Usage.js"

const run = RunId.make("r1")
const [c1, c2] = [CallId.make("c1"), CallId.make("c2")]
const at = { sessionId: SessionId.make("s1"), cursor: Cursor.make(7) }
const model = { provider: "p", model: "m" }
const retry = { attempt: 2, delayMillis: 500, reason: "overloaded" }

const text = (delta: string): StepDraft.Part => ({ type: "text", id: "t", delta })
const reasoning = (delta: string): StepDraft.Part => ({ type: "reasoning", id: "r", delta })
const argument = (delta: string): StepDraft.Part => ({ type: "call.delta", index: 0, name: "read", delta })

const callId = CallId.make("c0")
const begun = Live.beginStep(Live.start(run), Seq.make(3), model)
/** Adds a part, as a step does: a call has its id from its first part on. */
const add = (live: Live.Live, part: StepDraft.Part): Live.Live =>
  Live.addPart(part.type === "call.delta" ? Live.nameCall(live, part.index, callId) : live, part)
const written = (...parts: ReadonlyArray<StepDraft.Part>) => parts.reduce(add, begun)

/** Events as lines. */
const told = (events: ReadonlyArray<Ephemeral>) =>
  events.map((event) => {
    switch (event.type) {
      case "text.delta":
      case "reasoning.delta":
        return `${event.type} ${event.offset} ${event.text}`
      case "call.arguments":
        return `${event.type} ${event.index} ${event.name} ${event.offset} ${event.text}`
      case "call.progress":
        return `${event.type} ${event.callId} ${event.text}`
      case "run.retrying":
        return `${event.type} ${event.attempt} ${event.delayMillis} ${event.reason}`
    }
  })

/** What a watcher is told when it sees each of these in turn. */
const watch = (...lives: ReadonlyArray<Live.Live>) => {
  let seen = Watch.nothingSeen
  return lives.map((live) => {
    const [events, now] = Watch.changes(seen, live, at)
    seen = now
    return told(events)
  })
}

describe("a watcher", () => {
  it("gets only what it has not seen yet, with the offset at which it begins", () => {
    const first = written(reasoning("I "), text("on"), argument('{"a'))
    const second = [reasoning("think"), text("e"), argument('":1}')].reduce(Live.addPart, first)
    expect(watch(first, second, second)).toEqual([
      ["reasoning.delta 0 I ", "text.delta 0 on", 'call.arguments 0 read 0 {"a'],
      ["reasoning.delta 2 think", "text.delta 2 e", 'call.arguments 0 read 3 ":1}'],
      []
    ])
  })

  it("that comes late gets one delta from the beginning", () => {
    expect(watch(written(text("one "), text("two")))).toEqual([["text.delta 0 one two"]])
  })

  it("gets events that name their run and the durable event that they follow", () => {
    const [events] = Watch.changes(Watch.nothingSeen, written(text("x")), at)
    expect(events).toEqual([
      { type: "text.delta", seq: 3, sessionId: "s1", after: 7, runId: "r1", offset: 0, text: "x" }
    ])
  })

  it("is told of a call that has no arguments yet", () => {
    expect(watch(written(argument("")))).toEqual([["call.arguments 0 read 0 "]])
  })

  it("is told about a retry, and then gets the text from its beginning", () => {
    const first = written(text("hal"), argument("{"))
    const again = Live.retryStep(first, retry)
    expect(watch(first, again, add(again, text("whole")))).toEqual([
      ["text.delta 0 hal", "call.arguments 0 read 0 {"],
      ["run.retrying 2 500 overloaded"],
      ["text.delta 0 whole"]
    ])
  })

  it("gets each step, and each run, from its beginning", () => {
    const first = written(text("one"))
    const second = add(Live.beginStep(Live.endStep(first), Seq.make(6), model), text("two"))
    const other = add(Live.beginStep(Live.start(RunId.make("r2")), Seq.make(9), model), text("three"))
    expect(watch(first, second, other)).toEqual([["text.delta 0 one"], ["text.delta 0 two"], ["text.delta 0 three"]])
  })

  it("gets no more text of a stored step, except for the rest just before the step's message", () => {
    const stored = Live.endStep(written(text("one "), text("two")))
    const [, seen] = Watch.changes(Watch.nothingSeen, written(text("one ")), at)
    expect(told(Watch.changes(seen, stored, at)[0])).toEqual([])
    const row = {
      type: "message.appended",
      role: "assistant",
      seq: Seq.make(3),
      runId: run,
      actor: null,
      at: 1
    } as const
    const message = { ...row, sessionId: at.sessionId, cursor: Cursor.make(8) }
    const [events] = Watch.tell(at.sessionId, { cursor: at.cursor, seen }, [message], stored)
    expect(events).toMatchObject([{ type: "text.delta", after: 7, offset: 4, text: "two" }, message])
  })

  it("gets each call's newest progress once", () => {
    const first = Live.setProgress(Live.setProgress(begun, c1, "10%"), c1, "20%")
    const second = Live.setProgress(first, c2, "go")
    expect(watch(first, first, second, Live.setProgress(second, c1, "30%"))).toEqual([
      ["call.progress c1 20%"],
      [],
      ["call.progress c2 go"],
      ["call.progress c1 30%"]
    ])
  })

  it("is not told the progress of a call that is over", () => {
    const both = Live.setProgress(Live.setProgress(begun, c1, "10%"), c2, "20%")
    const over = Live.endCall(both, c1)
    expect(watch(over)).toEqual([["call.progress c2 20%"]])
    expect(Live.endCall(over, c1)).toBe(over)
  })
})

it("without a step, parts, retries and ends change nothing", () => {
  const live = Live.start(run)
  expect(add(live, text("x"))).toBe(live)
  expect(Live.retryStep(live, retry)).toBe(live)
  expect(Live.endStep(live)).toBe(live)
  expect(watch(live)).toEqual([[]])
})

const part = FastCheck.oneof(
  FastCheck.constantFrom("a", "bc").map(text),
  FastCheck.constantFrom("a", "bc").map(reasoning),
  FastCheck.constantFrom("", "{").map(argument),
  FastCheck.constant<StepDraft.Part>({ type: "finish", reason: "stop", usage: Usage.unknown })
)
const step = FastCheck.oneof(
  { weight: 6, arbitrary: part.map((part) => (live: Live.Live) => add(live, part)) },
  {
    weight: 1,
    arbitrary: FastCheck.constant((live: Live.Live) =>
      Live.retryStep(live, { ...retry, attempt: (live.step?.attempt ?? 0) + 1 })
    )
  }
)

it.prop(
  "a watcher's deltas, put at their offsets, give the current text whenever it looks",
  [FastCheck.array(FastCheck.tuple(step, FastCheck.boolean()), { maxLength: 20 })],
  ([steps]) => {
    let live = begun
    let seen = Watch.nothingSeen
    let has = { text: "", reasoning: "" }
    for (const [change, looks] of [...steps, [(live: Live.Live) => live, true] as const]) {
      live = change(live)
      if (!looks) continue
      const [events, now] = Watch.changes(seen, live, at)
      seen = now
      for (const event of events) {
        if (event.type === "run.retrying") has = { text: "", reasoning: "" }
        if (event.type === "text.delta") {
          expect(event.offset).toBe(has.text.length)
          has = { ...has, text: has.text + event.text }
        }
        if (event.type === "reasoning.delta") {
          expect(event.offset).toBe(has.reasoning.length)
          has = { ...has, reasoning: has.reasoning + event.text }
        }
      }
      const draft = live.step?.draft ?? StepDraft.empty
      expect(has).toEqual({ text: StepDraft.text(draft), reasoning: StepDraft.reasoning(draft) })
    }
  }
)

describe("Live.Draft", () => {
  const whole = written(reasoning("thinking"), text("so far"), argument('{"a"'))
  const draft: Live.Draft = {
    runId: run,
    seq: Seq.make(3),
    model,
    attempt: 1,
    retry: null,
    reasoning: "thinking",
    text: "so far",
    calls: [{ index: 0, callId, name: "read", input: '{"a"' }]
  }

  it("holds what a step has written, and does not exist before the step begins or after it is stored", () => {
    expect(Live.draftOf(whole)).toEqual(draft)
    expect(Live.draftOf(Live.start(run))).toBeNull()
    expect(Live.draftOf(Live.endStep(whole))).toBeNull()
    expect(Live.draftOf(Live.retryStep(whole, retry))).toEqual({
      ...draft,
      attempt: 2,
      retry,
      reasoning: "",
      text: "",
      calls: []
    })
  })

  it("tells another process the same as the step itself", () => {
    const [events, seen] = Watch.changes(Watch.nothingSeen, whole, at)
    expect(Watch.changes(Watch.nothingSeen, Live.ofDraft(draft), at)).toEqual([events, seen])
    const [retried] = Watch.changes(seen, Live.ofDraft({ ...draft, attempt: 2, retry, text: "anew" }), at)
    expect(told(retried)[0]).toBe("run.retrying 2 500 overloaded")
  })
})
