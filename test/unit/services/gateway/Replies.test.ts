/** What the Gateway returns survives JSON and back, for clients in other processes. */
import { expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as Live from "../../../../src/domain/Live.js"
import { CallId } from "../../../../src/domain/Message.js"
import { RunId } from "../../../../src/domain/Run.js"
import { Cursor, Seq, SessionId } from "../../../../src/domain/Session.js"
import * as Watch from "../../../../src/domain/Watch.js"
import { Snapshot } from "../../../../src/services/gateway/Replies.js"

const position = { sessionId: SessionId.make("s1"), cursor: Cursor.make(7) }
const message = {
  type: "message.appended",
  sessionId: position.sessionId,
  cursor: Cursor.make(8),
  at: 1,
  actor: null,
  runId: RunId.make("r1"),
  seq: Seq.make(3),
  role: "assistant"
} as const
const LivePart = Schema.parseJson(Snapshot.fields.live)

type Move = (live: Live.Live) => Live.Live

const text = FastCheck.string({ maxLength: 5 })
const moves: FastCheck.Arbitrary<Move> = FastCheck.oneof(
  text.map(
    (delta): Move =>
      (live) =>
        Live.addPart(live, { type: "text", id: "t", delta })
  ),
  text.map(
    (delta): Move =>
      (live) =>
        Live.addPart(live, { type: "reasoning", id: "r", delta })
  ),
  FastCheck.tuple(FastCheck.nat(2), text).map(
    ([index, delta]): Move =>
      (live) =>
        Live.addPart(Live.nameCall(live, index, CallId.make(`c${index}`)), {
          type: "call.delta",
          index,
          name: "read",
          delta
        })
  ),
  text.map(
    (progress): Move =>
      (live) =>
        Live.setProgress(live, CallId.make("c1"), progress)
  ),
  FastCheck.constant<Move>((live) => Live.beginStep(live, Seq.make(3), { provider: "p", model: "m" })),
  FastCheck.constant<Move>((live) => Live.retryStep(live, { attempt: 2, delayMillis: 5, reason: "cut" })),
  FastCheck.constant<Move>(Live.endStep)
)

it.prop(
  "the live part of a snapshot tells a client the same after JSON, even about a stored step",
  [FastCheck.array(moves)],
  ([moves]) => {
    const live = moves.reduce((live, move) => move(live), Live.start(RunId.make("r1")))
    const received = Schema.decodeSync(LivePart)(Schema.encodeSync(LivePart)(live))
    expect(received).not.toBeNull()
    if (received === null) return
    const told = (live: Live.Live) => [
      Watch.changes(Watch.nothingSeen, live, position)[0],
      Watch.tell(position.sessionId, { cursor: position.cursor, seen: Watch.nothingSeen }, [message], live)[0]
    ]
    expect(told(received)).toEqual(told(live))
    expect(received.step?.stored).toBe(live.step?.stored)
  }
)
