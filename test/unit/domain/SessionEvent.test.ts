import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Schema } from "effect"
import { RunId } from "../../../src/domain/Run.js"
import { Cursor, Seq, SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import * as Collector from "../../support/Collector.js"

const sessionId = SessionId.make("s1")
const runId = RunId.make("r1")

const appended: SessionEvent.SessionEvent = {
  type: "message.appended",
  sessionId,
  cursor: Cursor.make(7),
  at: 1,
  actor: null,
  runId,
  seq: Seq.make(3),
  role: "tool"
}

const delta: SessionEvent.SessionEvent = {
  type: "text.delta",
  sessionId,
  after: Cursor.make(7),
  runId,
  seq: Seq.make(4),
  offset: 0,
  text: "one\ntwo\r\nthree\u2028"
}

const events: FastCheck.Arbitrary<SessionEvent.SessionEvent> = FastCheck.oneof(
  Arbitrary.make(SessionEvent.Durable),
  Arbitrary.make(SessionEvent.Ephemeral).filter(
    (event) => event.type !== "run.retrying" || Number.isFinite(event.delayMillis)
  )
)

const decode = Schema.decodeUnknownEither(Schema.parseJson(SessionEvent.SessionEvent))

/** Reads a stream as a browser's EventSource does. */
const readSse = (text: string) => {
  expect(text.endsWith("\n\n")).toBe(true)
  const lines = text.slice(0, -2).split(/\r\n|\r|\n/)
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]))
}

describe("SessionEvent", () => {
  it.prop("an event survives as one line of JSON", [events], ([event]) => {
    const json = SessionEvent.toJson(event)
    expect(json).not.toMatch(/[\n\r]/)
    const again = SessionEvent.toJson(Either.getOrThrow(decode(json)))
    expect(JSON.parse(again)).toEqual(JSON.parse(json))
  })

  it.prop("a server-sent event has its type, its JSON and, when durable, its cursor as id", [events], ([event]) => {
    const { data, event: type, id } = readSse(SessionEvent.toSse(event))
    expect(type).toBe(event.type)
    expect(data).toBe(SessionEvent.toJson(event))
    expect(id).toBe("cursor" in event ? String(event.cursor) : undefined)
  })

  it("is encoded once, however many ask for it", () => {
    let reads = 0
    const event: SessionEvent.SessionEvent = {
      ...delta,
      get text() {
        reads++
        return "one"
      }
    }
    const [first, before] = [SessionEvent.toJson(event), reads]
    expect(before).toBeGreaterThan(0)
    expect([SessionEvent.toJson(event), SessionEvent.toSse(event)]).toEqual([
      first,
      `event: text.delta\ndata: ${first}\n\n`
    ])
    expect(reads).toBe(before)
  })

  it("is not kept in memory for the sake of its JSON", async () => {
    const told = () => {
      const event = { ...delta }
      SessionEvent.toJson(event)
      return new WeakRef(event)
    }
    expect(await Collector.alive([told()])).toBe(0)
  })

  it("a durable event is sent with its cursor as id", () => {
    expect(SessionEvent.isDurable(appended)).toBe(true)
    expect(SessionEvent.toSse(appended)).toBe(
      'id: 7\nevent: message.appended\ndata: {"type":"message.appended","sessionId":"s1","cursor":7,"at":1,"actor":null,"runId":"r1","seq":3,"role":"tool"}\n\n'
    )
  })

  it("an ephemeral event has no id, so that a client which reconnects asks from the last durable one", () => {
    expect(SessionEvent.isDurable(delta)).toBe(false)
    expect(readSse(SessionEvent.toSse(delta))).toEqual({ event: "text.delta", data: SessionEvent.toJson(delta) })
  })

  it("the guard `is` narrows an event to its type", () => {
    const found: ReadonlyArray<SessionEvent.OfType<"text.delta">> = [appended, delta].filter(
      SessionEvent.is("text.delta")
    )
    expect(found).toEqual([delta])
  })

  it.each([
    { ...appended, cursor: -1 },
    { ...appended, type: "message.moved" },
    { ...appended, seq: 0 },
    { ...delta, after: undefined }
  ])("does not decode %j", (event) => {
    expect(Either.isLeft(decode(JSON.stringify(event)))).toBe(true)
  })
})
