import { describe, expect, it } from "vitest"
import * as Live from "../../../src/domain/Live.js"
import { CallId } from "../../../src/domain/Message.js"
import * as Mirror from "../../../src/domain/Mirror.js"
import { RunId } from "../../../src/domain/Run.js"
import { Cursor, Seq, SessionId } from "../../../src/domain/Session.js"
import type { SessionEvent } from "../../../src/domain/SessionEvent.js"
import * as Watch from "../../../src/domain/Watch.js"

const sessionId = SessionId.make("ses_1")
const runId = RunId.make("run_1")
const callId = CallId.make("call_1")
const model = { provider: "p", model: "m" }
const at = { sessionId, cursor: Cursor.make(3) }

/** How a live part comes about, step by step. */
const written: ReadonlyArray<(live: Live.Live) => Live.Live> = [
  (live) => Live.beginStep(live, Seq.make(1), model),
  (live) => Live.addPart(live, { type: "reasoning", id: "r", delta: "hm" }),
  (live) => Live.addPart(live, { type: "text", id: "t", delta: "one " }),
  (live) => Live.addPart(live, { type: "text", id: "t", delta: "two" }),
  (live) => Live.retryStep(live, { attempt: 2, delayMillis: 5, reason: "cut" }),
  (live) => Live.addPart(live, { type: "text", id: "t", delta: "1" }),
  (live) => Live.nameCall(live, 0, callId),
  (live) => Live.addPart(live, { type: "call.delta", index: 0, name: "work", delta: '{"a"' }),
  (live) => Live.addPart(live, { type: "call.delta", index: 0, name: "work", delta: ":1}" }),
  (live) => Live.setProgress(live, callId, "half"),
  (live) => Live.setProgress(live, callId, "done"),
  (live) => Live.beginStep(live, Seq.make(5), model),
  (live) => Live.addPart(live, { type: "text", id: "t", delta: "end" })
]

/** All intermediate live parts, each with the events that a watcher is told about it. */
const told = () => {
  let live = Live.start(runId)
  let seen = Watch.nothingSeen
  return written.map((change) => {
    live = change(live)
    const [events, next] = Watch.changes(seen, live, at)
    seen = next
    return { live, events }
  })
}

const all = (live: Live.Live) => Watch.changes(Watch.nothingSeen, live, at)[0]
const tellAll = (mirror: Mirror.Mirror, events: ReadonlyArray<SessionEvent>) => events.reduce(Mirror.tell, mirror)

const durable = { sessionId, at: 0, actor: null } as const

describe("a mirror", () => {
  it("tells a watcher what the live part itself tells", () => {
    expect.assertions(10)
    let mirror = Mirror.make(at.cursor)
    for (const { events, live } of told()) {
      mirror = tellAll(mirror, events)
      // A step without content is not announced.
      if (mirror.live !== null && events.length > 0) expect(all(mirror.live)).toEqual(all(live))
    }
  })

  it("follows the newest durable event, and a step's message marks the step as stored", () => {
    const [, , { events } = { events: [] }] = told()
    const mirror = tellAll(Mirror.make(at.cursor), events)
    expect(mirror).toMatchObject({ cursor: 3, live: { step: { seq: 1, stored: false } } })
    const after = Mirror.tell(mirror, {
      ...durable,
      type: "message.appended",
      cursor: Cursor.make(4),
      runId,
      seq: Seq.make(1),
      role: "assistant"
    })
    expect(after).toMatchObject({ cursor: 4, live: { step: { seq: 1, stored: true } } })
  })

  it("holds nothing of a run that has been released", () => {
    const mirror = tellAll(
      Mirror.make(at.cursor),
      told().flatMap(({ events }) => events)
    )
    const ended = Mirror.tell(mirror, { ...durable, type: "run.released", cursor: Cursor.make(4), runId })
    expect(ended).toMatchObject({ live: null, cursor: 4 })
    expect(ended.version).toBe(2)
  })
})
