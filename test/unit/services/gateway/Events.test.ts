import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, FastCheck, Fiber, Option, Schema, Stream } from "effect"
import { Model, Permissions, Run, Session, SessionEvent, SkeinError, Tool, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { ground } from "../runtime/engines.js"
import { open, type Opened } from "../runtime/fixture.js"

const waiting = (gate: Gate.Gate) =>
  Tool.make("wait", { description: "waits", access: "read", input: { name: Schema.String } }).handle(({ name }) =>
    Effect.zipRight(Tool.progress(`at ${name}`), Effect.as(gate.pass(name), name))
  )

/** Everything that a watcher is told about a session until a run has ended. */
const watch = ({ gateway }: Opened, sessionId: Session.Id, after = 0) =>
  gateway
    .events({ sessionId, after: Session.Cursor.make(after) })
    .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect, Effect.map(Chunk.toReadonlyArray))

/** A run of two steps, with two calls that wait; `finish` lets it run to its end. */
const blocked = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = waiting(gate)
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(
    {
      reasoning: "hm",
      text: "let me see",
      calls: [ScriptedModel.call(tool, { name: "a" }), ScriptedModel.call(tool, { name: "b" })]
    },
    ScriptedModel.text("it is so")
  )
  const run = yield* engine.begin("go")
  yield* gate.reached("b")
  return { ...engine, gate, run, finish: Effect.all([gate.open("b"), gate.open("a"), engine.gateway.await(run)]) }
})

describe("P10 events from a cursor on", () => {
  it.scoped("P10 have no gap, and a replay from any cursor equals the durable events that a live watcher saw", () =>
    Effect.gen(function* () {
      const engine = yield* blocked
      const { finish, gateway, run } = engine
      const live = yield* Effect.fork(watch(engine, run.sessionId))
      yield* Quiescence.idle
      yield* gateway.saveAsset({ sessionId: run.sessionId, mediaType: "text/plain", content: Stream.empty })
      yield* finish
      const durable = (yield* live).filter(SessionEvent.isDurable)
      expect(durable.map(({ cursor }) => cursor)).toEqual(durable.map((_, index) => index + 1))
      for (let after = 0; after < durable.length; after++) {
        expect(yield* watch(engine, run.sessionId, after)).toEqual(durable.slice(after))
      }
    })
  )

  it.scoped.prop(
    "P10 a watcher that begins at any moment, at any cursor, sees each durable event once and in order",
    [FastCheck.array(FastCheck.record({ moment: FastCheck.nat(60), cursor: FastCheck.nat(30) }), { maxLength: 5 })],
    ([watchers]) =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        for (const name of ["a", "b", "c"]) yield* gate.open(name)
        const tool = waiting(gate)
        const engine = yield* open({ tools: [tool] })
        const calls = ["a", "b", "c"].map((name) => ScriptedModel.call(tool, { name }))
        yield* engine.model.play({ text: "let me see", calls }, ScriptedModel.text("it is so"))
        const run = yield* engine.begin("go")
        const seen = yield* Effect.forEach(
          watchers,
          ({ cursor, moment }) =>
            Effect.gen(function* () {
              yield* Effect.repeatN(Effect.yieldNow(), moment)
              const { cursor: newest } = yield* engine.gateway.session(run.sessionId)
              const after = Math.min(cursor, newest)
              const isOver = (yield* engine.gateway.run(run.runId)).state === "ended"
              return { after, events: isOver && after === newest ? [] : yield* watch(engine, run.sessionId, after) }
            }),
          { concurrency: "unbounded" }
        )
        yield* engine.gateway.await(run)
        const all = yield* watch(engine, run.sessionId)
        for (const { after, events } of seen) {
          expect(events.filter(SessionEvent.isDurable)).toEqual(all.slice(after))
          const followed = events.flatMap((event) => (SessionEvent.isDurable(event) ? [event.cursor] : [event.after]))
          expect(followed).toEqual(followed.toSorted((one, other) => one - other))
        }
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 25 } }
  )

  it.scoped("P10 a cursor that no event has yet is refused with the oldest and the newest cursor", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { cursor, id } = yield* session()
      for (const after of [cursor + 1, 1e9].map((value) => Session.Cursor.make(value))) {
        const refused = yield* Effect.flip(Stream.runHead(gateway.events({ sessionId: id, after })))
        expect(refused).toEqual(new SkeinError.CursorGone({ sessionId: id, after, oldest: 1, newest: cursor }))
        expect(yield* Effect.flip(gateway.subscribe({ sessionId: id, after }))).toEqual(refused)
      }
      const sessionId = Session.Id.make("nobody")
      expect(yield* Effect.flip(gateway.subscribe({ sessionId }))).toEqual(
        new SkeinError.SessionNotFound({ sessionId })
      )
    })
  )

  it.scoped("P10 a watcher that stops reading holds up nobody, and misses no durable event when it goes on", () =>
    Effect.gen(function* () {
      const engine = yield* blocked
      const { finish, gateway, run } = engine
      const goOn = yield* Deferred.make<void>()
      const stuck = yield* gateway.events({ sessionId: run.sessionId }).pipe(
        Stream.tap(() => Deferred.await(goOn)),
        Stream.takeUntil(SessionEvent.is("run.ended")),
        Stream.runCollect,
        Effect.fork
      )
      yield* Quiescence.idle
      yield* finish
      expect((yield* gateway.run(run.runId)).stopReason).toBe("completed")
      yield* Deferred.succeed(goOn, undefined)
      const durable = [...(yield* stuck)].filter(SessionEvent.isDurable)
      expect(durable).toEqual(yield* watch(engine, run.sessionId))
    })
  )

  it.scoped("P10 a watcher is told what happened after its cursor while nobody watched", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { cursor, id } = yield* session()
      const next = Stream.runHead(gateway.events({ sessionId: id, after: cursor }))
      const first = yield* Effect.fork(next)
      yield* Quiescence.idle
      yield* Fiber.interrupt(first)
      yield* gateway.patch({ sessionId: id, title: "meanwhile" })
      const second = yield* Effect.fork(next)
      yield* Quiescence.idle
      expect(second.unsafePoll()).not.toBeNull()
      expect(Option.getOrNull(yield* second)).toMatchObject({ type: "session.renamed", title: "meanwhile" })
    })
  )

  it.scoped("P10 hundreds of events come without a gap", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      for (let n = 0; n < 600; n++) yield* gateway.patch({ sessionId: id, title: `title ${n}` })
      const events = yield* gateway
        .events({ sessionId: id, after: Session.Cursor.make(3) })
        .pipe(Stream.take(598), Stream.runCollect)
      expect([...events].map((event) => SessionEvent.isDurable(event) && event.cursor)).toEqual(
        Array.from({ length: 598 }, (_, index) => index + 4)
      )
    })
  )
})

/** Asks for two calls of `wait`. */
const asking: Model.Model = {
  provider: "test",
  model: "asking",
  contextTokens: null,
  step: () => {
    const call = (index: number, input: string) =>
      ({ type: "call", index, name: "wait", input, providerCallId: `c${index}` }) as const
    const finish = { type: "finish", reason: "tool-calls", usage: Usage.unknown } as const
    return Stream.make(call(0, '{"name":"a"}'), call(1, '{"name":"b"}'), finish)
  }
}

/** What is told about a step's text, as `offset text`. */
const textsOf = (events: ReadonlyArray<SessionEvent.SessionEvent>) =>
  events.flatMap((event) => (event.type === "text.delta" ? [`${event.offset} ${event.text}`] : []))

describe("P10 what a step writes", () => {
  for (const [how, step] of [
    ["slowly", { text: "one two three", delayMillis: 0 }],
    ["all at once", { text: "one two three" }]
  ] as const) {
    it.scoped(`P10 written ${how}, arrives without a gap, and whole before its message`, () =>
      Effect.gen(function* () {
        const engine = yield* open()
        const { id } = yield* engine.session()
        const live = yield* Effect.fork(watch(engine, id))
        yield* Quiescence.idle
        yield* engine.model.play(step)
        yield* engine.send(id, "go")
        let text = ""
        for (const event of yield* live) {
          if (event.type === "text.delta") {
            expect(event.offset).toBe(text.length)
            text += event.text
          }
          if (event.type === "message.appended" && event.role === "assistant") expect(text).toBe("one two three")
        }
        expect(text).toBe("one two three")
      })
    )
  }

  it.scoped("P10 is whole before its message, even if the message's event is read before the rest of the text", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const part = (delta: string) => ({ type: "text", id: "t", delta }) as const
      const finish = { type: "finish", reason: "stop", usage: Usage.unknown } as const
      const stream = Stream.make(part("one ")).pipe(
        Stream.concat(Stream.execute(gate.pass("two"))),
        Stream.concat(Stream.make(part("two "))),
        Stream.concat(Stream.execute(gate.pass("three"))),
        Stream.concat(Stream.make(part("three"), finish))
      )
      let isSlow = false
      const { open } = yield* ground
      const engine = yield* open("a", {
        models: Model.always({ provider: "test", model: "slow", contextTokens: null, step: () => stream }),
        storage: (storage) => ({
          ...storage,
          appendStep: (...step) => Effect.zipLeft(storage.appendStep(...step), gate.pass("end"))
        }),
        reader: (reader) => ({
          ...reader,
          events: (range) =>
            Effect.suspend(() => (isSlow ? gate.pass("read") : Effect.void)).pipe(Effect.zipRight(reader.events(range)))
        })
      })
      const run = yield* engine.begin("go")
      const live = yield* Effect.fork(watch(engine, run.sessionId, run.cursor))
      yield* gate.reached("two")
      yield* Quiescence.idle
      yield* gate.open("two")
      yield* gate.reached("three")
      isSlow = true
      yield* engine.gateway.patch({ sessionId: run.sessionId, title: "in the middle" })
      yield* gate.reached("read")
      yield* gate.open("three")
      yield* gate.reached("end")
      yield* gate.open("read")
      yield* Quiescence.idle
      yield* gate.open("end")
      const told = (yield* live).flatMap((event) =>
        event.type === "text.delta"
          ? [`${event.offset} ${event.text}`]
          : event.type === "message.appended"
            ? [event.role]
            : []
      )
      expect(told).toEqual(["user", "0 one ", "4 two three", "assistant"])
    })
  )

  it.scoped("P10 reaches a late watcher as one delta from the beginning, and then goes on", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const beginning: ReadonlyArray<Model.Part> = [
        { type: "reasoning", id: "r", delta: "I think" },
        { type: "text", id: "t", delta: "one " },
        { type: "text", id: "t", delta: "two " },
        { type: "call.delta", index: 0, name: "wait", delta: '{"na' }
      ]
      const end: ReadonlyArray<Model.Part> = [
        { type: "text", id: "t", delta: "three" },
        { type: "call", index: 0, name: "wait", input: '{"name":"a"}', providerCallId: "c1" },
        { type: "finish", reason: "tool-calls", usage: Usage.unknown }
      ]
      const { open } = yield* ground
      const slow = Model.always({
        provider: "test",
        model: "slow",
        contextTokens: null,
        step: () =>
          Stream.fromIterable(beginning).pipe(
            Stream.concat(Stream.execute(gate.pass("go on"))),
            Stream.concat(Stream.fromIterable(end))
          )
      })
      const engine = yield* open("a", { models: slow })
      const run = yield* engine.begin("go")
      yield* gate.reached("go on")
      const { cursor } = yield* engine.gateway.session(run.sessionId)
      const late = yield* engine.gateway
        .events({ sessionId: run.sessionId, after: cursor })
        .pipe(Stream.takeUntil(SessionEvent.is("message.appended")), Stream.runCollect, Effect.fork)
      yield* Quiescence.idle
      yield* gate.open("go on")
      const told = [...(yield* late)].map((event) => {
        switch (event.type) {
          case "text.delta":
          case "reasoning.delta":
            return `${event.type} ${event.offset} ${event.text}`
          case "call.arguments":
            return `${event.type} ${event.index} ${event.name} ${event.offset} ${event.text}`
          default:
            return event.type
        }
      })
      expect(told).toEqual([
        "reasoning.delta 0 I think",
        "text.delta 0 one two ",
        'call.arguments 0 wait 0 {"na',
        "text.delta 8 three",
        'call.arguments 0 wait 4 me":"a"}',
        "message.appended"
      ])
    })
  )

  it.scoped("P10 is not sent again once its message is stored", () =>
    Effect.gen(function* () {
      const engine = yield* blocked
      const { finish, gateway, run } = engine
      const { cursor } = yield* gateway.snapshot(run.sessionId)
      const late = yield* Effect.fork(watch(engine, run.sessionId, cursor))
      yield* Quiescence.idle
      yield* finish
      expect(textsOf(yield* late)).toEqual(["0 it is so"])
    })
  )

  it.scoped("P10 includes no progress of a call that has finished", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = waiting(gate)
      yield* gate.open("a")
      const { open } = yield* ground
      const engine = yield* open("a", { tools: [tool], models: Model.always(asking) })
      const run = yield* engine.begin("go")
      yield* engine.seen(run, "call.finished")
      const { cursor } = yield* engine.gateway.session(run.sessionId)
      const late = yield* Effect.fork(watch(engine, run.sessionId, cursor))
      yield* Quiescence.idle
      yield* engine.gateway.cancel(run.runId)
      expect((yield* late).map((event) => (event.type === "call.progress" ? event.text : event.type))).toEqual([
        "at b",
        "call.finished",
        "message.appended",
        "run.ended"
      ])
    })
  )

  it.scoped("P10 arrives after all that it follows, however slowly events are read", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = waiting(gate)
      for (const name of ["a", "b"]) yield* gate.open(name)
      const { model, open } = yield* ground
      const steps = [1, 2, 3].map((step) => ({
        text: `step ${step}`,
        calls: [ScriptedModel.call(tool, { name: "a" }), ScriptedModel.call(tool, { name: `b` })]
      }))
      for (const turns of [1, 2, 3, 5, 8, 13, 21, 34]) {
        const engine = yield* open(`slow ${turns}`, {
          tools: [tool],
          config: { repeatLimit: 10 },
          reader: (reader) => ({
            ...reader,
            events: (range) => Effect.zipLeft(reader.events(range), Effect.repeatN(Effect.yieldNow(), turns))
          })
        })
        yield* model.play(...steps, ScriptedModel.text("step 4"))
        const run = yield* engine.begin("go")
        const running = new Set<string>()
        let last = ""
        for (const event of yield* watch(engine, run.sessionId)) {
          if (event.type === "text.delta" && event.offset === 0 && !event.text.startsWith("step 1")) {
            expect(last).toBe("message.appended tool")
          }
          if (event.type === "call.started") running.add(event.callId)
          if (event.type === "call.finished") running.delete(event.callId)
          if (event.type === "call.progress") expect(running).toContain(event.callId)
          if (event.type === "message.appended") last = `${event.type} ${event.role}`
        }
      }
    })
  )
})

describe("Run.events", () => {
  it.scoped("has all events of its run and no others, whenever it begins, and ends with the run", () =>
    Effect.gen(function* () {
      const engine = yield* blocked
      const { context, finish, gateway, model, run, send } = engine
      yield* model.play(ScriptedModel.text("another"))
      const second = yield* send(run.sessionId, "more", { whenBusy: "queue" })
      const collect = (ref: Run.Ref) =>
        Run.events(ref).pipe(
          Stream.filter(SessionEvent.isDurable),
          Stream.runCollect,
          Effect.map(Chunk.toReadonlyArray),
          Effect.provide(context)
        )
      const live = yield* Effect.fork(collect(second))
      yield* gateway.patch({ sessionId: run.sessionId, title: "meanwhile" })
      yield* finish
      const events = yield* live
      expect(events.map(({ type }) => type)).toEqual([
        "run.queued",
        "run.started",
        "message.appended",
        "message.appended",
        "run.ended"
      ])
      expect(yield* collect(second)).toEqual(events)
      expect((yield* collect(run)).every((event) => "runId" in event && event.runId === run.runId)).toBe(true)
    })
  )

  it.scoped("ends when the session is deleted", () =>
    Effect.gen(function* () {
      const { context, gateway, run } = yield* blocked
      const live = yield* Effect.fork(Effect.provide(Stream.runLast(Run.events(run)), context))
      yield* Quiescence.idle
      yield* gateway.delete(run.sessionId)
      expect(["run.ended", "session.deleted"]).toContain(Option.getOrNull(yield* live)?.type)
    })
  )
})

describe("snapshot", () => {
  it.scoped("shows a running session as it is, and events go on from its cursor", () =>
    Effect.gen(function* () {
      const engine = yield* blocked
      const { finish, gate, gateway, run, seen } = engine
      yield* gate.open("b")
      yield* seen(run, "call.finished")
      const snapshot = yield* gateway.snapshot(run.sessionId)
      expect(snapshot).toMatchObject({
        session: { id: run.sessionId, head: 2 },
        run: { run: { id: run.runId, state: "running" }, crashed: false },
        queued: [],
        batch: {
          calls: [{ index: 0, name: "wait", state: "started", seq: 3, questionId: null }],
          stored: [{ seq: 4, message: { text: "b" } }]
        },
        questions: []
      })
      expect(snapshot.live).toMatchObject({ runId: run.runId, step: { seq: 2, stored: true } })
      const rest = yield* Effect.fork(watch(engine, run.sessionId, snapshot.cursor))
      yield* Quiescence.idle
      yield* finish
      expect((yield* rest).filter(SessionEvent.isDurable).map(({ type }) => type)).toEqual([
        "call.finished",
        "message.appended",
        "message.appended",
        "message.appended",
        "run.ended"
      ])
      expect(yield* gateway.snapshot(run.sessionId)).toMatchObject({
        run: null,
        live: null,
        batch: { calls: [], stored: [] }
      })
    })
  )

  for (const read of ["activity", "openBatch", "questions", "draft"] as const) {
    it.scoped(`P10 an event committed just before its ${read} is read comes after its cursor`, () =>
      Effect.gen(function* () {
        const { open, reader, storage } = yield* ground
        const rename = Effect.ignore(storage.patch(Session.Id.make("one"), { title: "renamed meanwhile" }))
        const late =
          <Args extends ReadonlyArray<unknown>, A, E>(name: string, own: (...args: Args) => Effect.Effect<A, E>) =>
          (...args: Args) =>
            Effect.zipRight(name === read ? rename : Effect.void, own(...args))
        const { gateway, session } = yield* open("a", {
          reader: (own) => ({
            ...own,
            activity: late("activity", own.activity),
            openBatch: late("openBatch", own.openBatch),
            questions: late("questions", own.questions),
            draft: late("draft", own.draft)
          })
        })
        const { id } = yield* session({ id: Session.Id.make("one") })
        const { cursor } = yield* gateway.snapshot(id)
        const after = yield* reader.events({ sessionId: id, after: cursor, limit: 10 })
        expect(after.map(({ type }) => type)).toEqual(["session.renamed"])
      })
    )
  }

  it.scoped("shows the call and the question that wait for a human", () =>
    Effect.gen(function* () {
      const ask = Tool.make("ask", { description: "asks", input: {} }).handle(() => Effect.void)
      const { begin, gateway, model, seen } = yield* open({
        tools: [ask],
        policy: Permissions.askToWrite
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})))
      const run = yield* begin("go")
      const { questionId } = yield* seen(run, "permission.asked")
      const { batch, questions } = yield* gateway.snapshot(run.sessionId)
      expect(batch.calls).toMatchObject([{ state: "pending", questionId }])
      expect(questions.map(({ id }) => id)).toEqual([questionId])
    })
  )
})
