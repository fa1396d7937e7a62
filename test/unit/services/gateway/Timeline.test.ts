/** What clients can show of a run without its texts, and the events that bring the texts along. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Schema, Stream, TestClock } from "effect"
import { Permissions, type Session, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { ground } from "../runtime/engines.js"
import { open, type Opened } from "../runtime/fixture.js"

const Input = { path: Schema.String }

const edit = Tool.make("edit", { description: "edits", kind: "edit", input: Input }).handle(
  ({ path }) => Effect.succeed(`edited ${path}`),
  { title: ({ path }) => `Edit ${path}\nand more`, locations: ({ path }) => [{ path, line: 3 }] }
)

/** Reading its input takes until the gate is opened: its step is stored before the input is known. */
const late = (gate: Gate.Gate) => {
  const Path = Schema.transformOrFail(Schema.String, Schema.String, {
    strict: true,
    decode: (path) => Effect.as(gate.pass("read"), path),
    encode: Effect.succeed
  })
  return Tool.make("late", { description: "late", kind: "fetch", input: { path: Path } }).handle(
    ({ path }) => Effect.succeed(path),
    { title: ({ path }) => `Fetch ${path}` }
  )
}

const waiting = (gate: Gate.Gate) =>
  Tool.make("wait", { description: "waits", kind: "execute", access: "read", input: Input }).handle(({ path }) =>
    Effect.as(gate.pass(path), path)
  )

const editing = (path: string) => ({ kind: "edit", title: `Edit ${path}…`, locations: [{ path, line: 3 }] })

const timelineOf = ({ gateway }: Opened, sessionId: Session.Id) =>
  Effect.map(Stream.runCollect(gateway.timeline({ sessionId })), Chunk.toReadonlyArray)

const eventsOf = ({ gateway }: Opened, sessionId: Session.Id, entries: boolean) =>
  gateway
    .events({ sessionId, entries })
    .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect, Effect.map(Chunk.toReadonlyArray))

/** A run of two calls, `a` and `b`, that wait for their gates, then an answer. */
const twoWaiting = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = waiting(gate)
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(
    ScriptedModel.calls(...["a", "b"].map((path) => ScriptedModel.call(tool, { path }))),
    ScriptedModel.text("done")
  )
  return { ...engine, gate, run: yield* engine.begin("go") }
})

describe("a call's display", () => {
  it.scoped("is in its events, its open call, its question and the timeline", () =>
    Effect.gen(function* () {
      const engine = yield* open({ tools: [edit], policy: Permissions.askToWrite })
      yield* engine.model.play(
        ScriptedModel.calls(
          ScriptedModel.call(edit, { path: "a" }),
          { name: "edit", input: { path: 7 } },
          { name: "unheard-of", input: {} }
        ),
        ScriptedModel.text("done")
      )
      const run = yield* engine.begin("go")
      const { display, questionId } = yield* engine.seen(run, "permission.asked")
      expect(display).toEqual(editing("a"))
      expect((yield* engine.gateway.question(questionId)).display).toEqual(display)
      const { batch } = yield* engine.gateway.snapshot(run.sessionId)
      expect(batch.calls).toMatchObject([{ display, startedAt: null }])
      yield* engine.gateway.answer({ questionId, verdict: "allow-once" })
      yield* engine.gateway.await(run)
      const shown = (yield* timelineOf(engine, run.sessionId)).flatMap((row) =>
        row.type === "call" ? [row.display] : []
      )
      const nothing = { kind: "other", title: null, locations: [] }
      expect(shown).toEqual([display, { ...nothing, kind: "edit" }, nothing])
      const told = (yield* eventsOf(engine, run.sessionId, false)).flatMap((event) =>
        event.type === "call.started" || event.type === "call.finished" ? [[event.type, event.display.title]] : []
      )
      expect(told).toContainEqual(["call.started", "Edit a…"])
      expect(told).toContainEqual(["call.finished", "Edit a…"])
    })
  )

  it.scoped("is known from the question or the start on if the input is read late", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = late(gate)
      const engine = yield* open({ tools: [tool], policy: Permissions.askToWrite })
      yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(tool, { path: "x" })), ScriptedModel.text("done"))
      const run = yield* engine.begin("go")
      yield* gate.reached("read")
      yield* Quiescence.idle
      yield* gate.open("read")
      const { display, questionId } = yield* engine.seen(run, "permission.asked")
      expect(display).toMatchObject({ kind: "fetch", title: "Fetch x" })
      yield* engine.gateway.answer({ questionId, verdict: "allow-once" })
      expect((yield* engine.seen(run, "call.started")).display).toEqual(display)
      yield* engine.gateway.await(run)
      expect((yield* timelineOf(engine, run.sessionId))[1]).toMatchObject({ display })
    })
  )
})

describe("the timeline", () => {
  it.scoped("says when each step and call began and ended, and which call finished first", () =>
    Effect.gen(function* () {
      const engine = yield* twoWaiting
      const { gate, run } = engine
      yield* gate.reached("b")
      const from = yield* TestClock.currentTimeMillis
      yield* TestClock.adjust(100)
      yield* gate.open("b")
      yield* engine.seen(run, "call.finished")
      yield* TestClock.adjust(100)
      yield* gate.open("a")
      yield* engine.gateway.await(run)
      const step = { type: "step", runId: run.runId, model: { provider: "script" }, partial: false }
      const call = { type: "call", step: 2, runId: run.runId, askedAt: from, startedAt: from, outcome: "success" }
      const rows = yield* timelineOf(engine, run.sessionId)
      expect(rows).toMatchObject([
        { ...step, seq: 2, startedAt: from, endedAt: from, finish: "tool-calls" },
        { ...call, seq: 3, endedAt: from + 200 },
        { ...call, seq: 4, endedAt: from + 100 },
        { ...step, seq: 5, startedAt: from + 200, endedAt: from + 200, finish: "stop" }
      ])
      const finished = rows.flatMap((row) => (row.type === "call" && row.finished !== null ? [row.finished] : []))
      expect(finished[0]).toBeGreaterThan(Number(finished[1]))
    })
  )
})

describe("a subscription with entries", () => {
  it.scoped("gets the same events, with the entries that they announce, live and replayed", () =>
    Effect.gen(function* () {
      const engine = yield* twoWaiting
      const { gate, run } = engine
      const live = yield* Effect.fork(eventsOf(engine, run.sessionId, true))
      yield* gate.reached("b")
      yield* Quiescence.idle
      yield* gate.open("b")
      yield* gate.open("a")
      yield* engine.gateway.await(run)
      const transcript = yield* engine.transcript(run.sessionId)
      const durable = (yield* live).filter(SessionEvent.isDurable)
      const told = durable.flatMap((event) =>
        event.type === "message.appended" || event.type === "call.finished" ? [event] : []
      )
      expect(told.length).toBe(transcript.length + 2)
      for (const { entry, seq } of told) expect(entry).toEqual(transcript[seq - 1])
      expect(yield* eventsOf(engine, run.sessionId, true)).toEqual(durable)
      const bare = durable.map(({ ...event }) => ("entry" in event ? (delete event.entry, event) : event))
      expect(yield* eventsOf(engine, run.sessionId, false)).toEqual(bare)
    })
  )

  it.scoped("shares its reads with all subscriptions that want entries, and with no others", () =>
    Effect.gen(function* () {
      const reads = { with: 0, without: 0 }
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        reader: (reader) => ({
          ...reader,
          events: (range) =>
            Effect.suspend(() => (reads[range.entries === true ? "with" : "without"]++, reader.events(range)))
        })
      })
      const { cursor, id } = yield* session()
      for (let watchers = 0; watchers < 100; watchers++) {
        const entries = watchers % 2 === 0
        yield* Effect.forkScoped(Stream.runDrain(gateway.events({ sessionId: id, after: cursor, entries })))
      }
      yield* Quiescence.idle
      Object.assign(reads, { with: 0, without: 0 })
      for (let n = 0; n < 5; n++) {
        yield* gateway.patch({ sessionId: id, title: `title ${n}` })
        yield* Quiescence.idle
      }
      // With entries, only an empty page counts as the last.
      expect(reads).toEqual({ with: 10, without: 5 })
    })
  )
})
