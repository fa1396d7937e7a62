/** What another process tells about its run, merged with the events that are read here. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Queue, Stream, TestClock } from "effect"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import * as Live from "../../../../src/domain/Live.js"
import { RunId } from "../../../../src/domain/Run.js"
import { Cursor, Seq } from "../../../../src/domain/Session.js"
import type { SessionEvent } from "../../../../src/domain/SessionEvent.js"
import { ground } from "../runtime/engines.js"

const begun = Live.beginStep(Live.start(RunId.make("run_1")), Seq.make(9), { provider: "p", model: "m" })
const written = (...texts: ReadonlyArray<string>) =>
  texts.reduce((live, delta) => Live.addPart(live, { type: "text", id: "t", delta }), begun)

const withText = (runId: RunId, seq: number, ...texts: ReadonlyArray<string>) =>
  texts.reduce(
    (live, delta) => Live.addPart(live, { type: "text", id: "t", delta }),
    Live.beginStep(Live.start(runId), Seq.make(seq), { provider: "p", model: "m" })
  )

const told = (event: SessionEvent) =>
  event.type === "text.delta" ? `${event.seq}: ${event.offset} ${event.text}` : event.type

/** Another process, which tells whatever the test says. */
const makeElsewhere = () => {
  let mirror: { readonly cursor: Cursor; readonly live: Live.Live | null } | null = null
  const listeners = new Set<() => void>()
  return {
    mirrors: () => (_: unknown, changed: () => void) => {
      listeners.add(changed)
      return {
        get: () => mirror,
        seek: () => {},
        look: () => Effect.void,
        close: () => void listeners.delete(changed)
      }
    },
    tell: (cursor: number, live: Live.Live | null) => {
      mirror = { cursor: Cursor.make(cursor), live }
      for (const changed of listeners) changed()
    },
    leave: () => {
      mirror = null
      for (const changed of listeners) changed()
    }
  }
}

const said = (event: SessionEvent) =>
  "cursor" in event
    ? `${event.cursor}`
    : event.type === "text.delta"
      ? `${event.after} ${event.offset} ${event.text}`
      : ""

describe("what another process tells about its run", () => {
  it.scoped("P10 is completed from the step's message if that comes first: no wait, no gap, nothing twice", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const elsewhere = makeElsewhere()
      const one = yield* open("one")
      const two = yield* open("two", { mirrors: elsewhere.mirrors })
      const { cursor, id } = yield* one.session()
      const heard = yield* Queue.unbounded<string>()
      const events = yield* two.gateway.subscribe({ sessionId: id, after: cursor })
      yield* Effect.forkScoped(Stream.runForEach(events, (event) => Queue.offer(heard, told(event))))
      const hears = Effect.gen(function* () {
        yield* Quiescence.idle
        return [...(yield* Queue.takeAll(heard))]
      })
      yield* model.play(ScriptedModel.text("all of it"), ScriptedModel.text("more"))
      elsewhere.tell(cursor, null)
      yield* hears
      const run = yield* one.gateway.send({ sessionId: id, text: "go" })
      // The run's process has told the beginning of the text, after the message that it answers.
      elsewhere.tell(cursor + 2, withText(run.runId, 2, "all "))
      yield* one.gateway.await(run)
      expect((yield* hears).slice(-3)).toEqual(["2: 0 all of it", "message.appended", "run.ended"])
      // What the process tells only now is not new.
      elsewhere.tell(cursor + 2, withText(run.runId, 2, "all ", "of it"))
      elsewhere.tell(cursor + 3, withText(run.runId, 2, "all ", "of it"))
      elsewhere.tell(cursor + 4, null)
      expect(yield* hears).toEqual([])

      // None of the next step's text is told in time; it still comes before the message.
      const next = yield* one.gateway.send({ sessionId: id, text: "go" })
      yield* one.gateway.await(next)
      expect((yield* hears).slice(-3)).toEqual(["4: 0 more", "message.appended", "run.ended"])
    })
  )

  it.scoped("P10 is passed on once, after the events that it follows and before later ones", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const elsewhere = makeElsewhere()
      const one = yield* open("one")
      const two = yield* open("two", { mirrors: elsewhere.mirrors })
      const { cursor, id } = yield* one.session()
      const heard = yield* Queue.unbounded<string>()
      const events = yield* two.gateway.subscribe({ sessionId: id, after: cursor })
      yield* Effect.forkScoped(Stream.runForEach(events, (event) => Queue.offer(heard, said(event))))
      const hears = Effect.gen(function* () {
        yield* Quiescence.idle
        yield* TestClock.adjust("1 second")
        yield* Quiescence.idle
        return [...(yield* Queue.takeAll(heard))]
      })
      const append = (text: string) => one.gateway.append(id, [{ role: "user", parts: [{ type: "text", text }] }])

      elsewhere.tell(cursor, written("a"))
      expect(yield* hears).toEqual([`${cursor} 0 a`])
      // It has told of one more event, which is not here yet.
      elsewhere.tell(cursor + 1, written("a", "b"))
      expect(yield* hears).toEqual([])
      yield* append("first")
      expect(yield* hears).toEqual([`${cursor + 1}`, `${cursor + 1} 1 b`])
      // One more event is here, which it has not told of yet.
      yield* append("second")
      expect(yield* hears).toEqual([`${cursor + 2}`])
      elsewhere.tell(cursor + 1, written("a", "b", "c"))
      expect(yield* hears).toEqual([])
      elsewhere.tell(cursor + 2, written("a", "b", "c", "d"))
      expect(yield* hears).toEqual([`${cursor + 2} 2 cd`])
      // Another process continues telling.
      elsewhere.leave()
      elsewhere.tell(cursor + 2, written("abcd", "e"))
      expect(yield* hears).toEqual([`${cursor + 2} 4 e`])
    })
  )
})
