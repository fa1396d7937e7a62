/**
 * What operations may cost, counted at two sizes: statements, rows, decoded characters, commits, and fibers. Flat costs
 * must stay flat. Nothing here is timed.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { Agents, Gateway, Message, type Model, Permissions, Run, Session, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as StorageTest from "../../../src/adapters/testing/storage/StorageTest.js"
import { assistant } from "../../support/fixtures/messages.js"
import * as Counting from "./counting.js"
import { type Cost, Counter, counter } from "./storage/Counted.js"

/** The counts at each request for a step. */
class Steps extends Context.Tag("test/Steps")<Steps, Array<Cost>>() {}

/** What has been counted so far. */
const seen = { entries: 0, parts: 0, calls: 0 }

const count = (what: keyof typeof seen) => Effect.sync(() => void seen[what]++)

const mostAtOnce = <A, E, R>(what: keyof typeof seen, work: Effect.Effect<A, E, R>) =>
  Counting.mostOf(() => seen[what], work)

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.as(count("calls"), "done")
)

const endless = Tool.make("endless", { description: "Never ends", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.never
)

const careful = Tool.make("careful", { description: "Is asked about", input: {} }).handle(() => Effect.succeed("done"))

/** Whether calls of `hold` may end. */
const released = Effect.unsafeMakeLatch(false)

const hold = Tool.make("hold", { description: "Ends when it may", access: "read", input: {} }).handle(() =>
  Effect.as(released.await, "done")
)

/** The title of sessions whose model can take 1,000,000 tokens. */
const largeContext = "has a large context"

/** The model's context holds some 90 messages of 1,000 characters, besides the answer. */
const models = Effect.gen(function* () {
  const { resolve } = yield* ScriptedModel.models
  const counter = yield* Counter
  const steps = yield* Steps
  const counting = (model: Model.Model, { title }: Session.Session): Model.Model => ({
    ...model,
    contextTokens: title === largeContext ? 1_000_000 : 40_000,
    step: (request) => {
      steps.push({ ...counter })
      return model.step(request).pipe(
        Stream.rechunk(64),
        Stream.tap(() => count("parts"))
      )
    }
  })
  return { resolve: (session: Session.Session) => Effect.map(resolve(session), (model) => counting(model, session)) }
})

const engine = Effect.map(Counting.engine, (engine) => {
  const counters = Layer.merge(
    counter,
    Layer.sync(Steps, () => [])
  )
  return engine.pipe(
    Layer.provide(Agents.layer({ models, tools: [noop, endless, careful, hold], policy: Permissions.askToWrite })),
    Layer.provideMerge(ScriptedModel.layer),
    Layer.provideMerge(Counting.fibers),
    Layer.provideMerge(counters)
  )
})

/** A new session, one turn in it with a batch of `calls` that do nothing, and its end. */
const turn = (calls: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const model = yield* ScriptedModel.ScriptedModel
    yield* model.play(
      ScriptedModel.calls(...Array.from({ length: calls }, (_, n) => ScriptedModel.call(noop, { n }))),
      ScriptedModel.text("done")
    )
    const { id } = yield* gateway.create({ workdir: "/" })
    yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
  })

/** A session with a turn whose batch of `calls` never ends. */
const running = (calls: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const model = yield* ScriptedModel.ScriptedModel
    yield* model.play(
      ScriptedModel.calls(...Array.from({ length: calls }, (_, n) => ScriptedModel.call(endless, { n })))
    )
    const { id } = yield* gateway.create({ workdir: "/" })
    const { runId } = yield* gateway.send({ sessionId: id, text: "go" })
    yield* gateway
      .events({ sessionId: id })
      .pipe(Stream.filter(SessionEvent.is("call.started")), Stream.take(calls), Stream.runDrain)
    return { id, runId }
  })

/** The same, cancelled. */
const cancelled = (calls: number) =>
  Effect.gen(function* () {
    const { runId } = yield* running(calls)
    yield* (yield* Gateway.Gateway).cancel(runId)
  })

/** What it costs to queue one more message behind `waiting` others, and to go on with the turn that they wait for. */
const queueing = (waiting: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const model = yield* ScriptedModel.ScriptedModel
    const counter = yield* Counter
    yield* released.close
    yield* model.play(
      ScriptedModel.calls(ScriptedModel.call(hold, {})),
      ...Array.from({ length: 20 }, (_, n) => ScriptedModel.calls(ScriptedModel.call(noop, { n }))),
      ScriptedModel.text("done"),
      ScriptedModel.hang
    )
    const { id } = yield* gateway.create({ workdir: "/" })
    const run = yield* gateway.send({ sessionId: id, text: "go" })
    yield* gateway.events({ sessionId: id }).pipe(Stream.filter(SessionEvent.is("call.started")), Stream.runHead)
    const queue = gateway.send({ sessionId: id, text: "more", whenBusy: "queue" })
    const spent = (work: Effect.Effect<unknown, unknown>) =>
      Effect.gen(function* () {
        const { reads, rows } = counter
        yield* work
        return { reads: counter.reads - reads, rows: counter.rows - rows }
      })
    yield* Effect.replicateEffect(queue, waiting - 1, { discard: true })
    const queued = yield* spent(queue)
    const goneOn = yield* spent(Effect.zipRight(released.open, gateway.await(run)))
    yield* gateway.delete(id)
    return { queued, goneOn }
  })

/** How many turns the event loop makes while work is done: the least of several measurements. */
const turnsOf = <A, E, R>(work: (time: number) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let least = Infinity
    for (let time = 0; time < 4; time++) {
      let [turns, isOver] = [0, false]
      const turn = () => void (isOver || (turns++, setImmediate(turn)))
      setImmediate(turn)
      yield* work(time)
      isOver = true
      least = Math.min(least, turns)
    }
    return least
  })

/** A session with `messages` messages of `characters` characters each. */
const longSession = (messages: number, characters = 1_000) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const { id } = yield* gateway.create({ workdir: "/" })
    const text = Message.userText("x".repeat(characters))
    const answer = assistant(text.parts)
    for (let at = 0; at < messages; at += 500) {
      yield* gateway.append(id, Array.from({ length: 250 }, () => [text, answer]).flat())
    }
    return { id, steps: 2 }
  })

/** A turn of `steps` steps, each except the last with a call. */
const turnIn = ({ id, steps }: { readonly id: Session.SessionId; readonly steps: number }) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const model = yield* ScriptedModel.ScriptedModel
    yield* model.play(
      ...Array.from({ length: steps - 1 }, (_, n) => ScriptedModel.calls(ScriptedModel.call(noop, { n }))),
      ScriptedModel.text("done")
    )
    yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
  })

const budget = <E>(
  name: string,
  test: Effect.Effect<void, E, Counter | Steps | Gateway.Gateway | ScriptedModel.ScriptedModel>
) =>
  it.scopedLive(name, () =>
    // Time stands still, so that no bound depends on a slow machine.
    Effect.provide(test, Layer.unwrapScoped(engine)).pipe(Effect.withClock(StorageTest.handClock().clock))
  )

describe("budgets", () => {
  budget(
    "a change to a free session takes one commit in the caller's own fiber, and no read",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      const free = { reads: 0, rows: 0, characters: 0, commits: 1, fibers: 0 }
      expect(yield* Counting.costOf(gateway.append(id, [Message.userText("one")]))).toMatchObject({
        ...free,
        writes: 5
      })
      expect(yield* Counting.costOf(gateway.patch({ sessionId: id, title: "one" }))).toMatchObject({
        ...free,
        writes: 7
      })
      // It has no event of its own, so its group leaves a mark.
      expect(yield* Counting.costOf(gateway.patch({ sessionId: id, metadata: { a: 1 } }))).toMatchObject({
        ...free,
        writes: 9
      })
    })
  )

  budget(
    "an owner's questions take one read of the owner's rows, however many other sessions ask",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      const owners = ["ann", "ann", "bob", "carl"].map((name) => Session.Owner.make(name))
      yield* Effect.forEach(owners, (owner) =>
        Effect.gen(function* () {
          yield* model.play(ScriptedModel.calls(ScriptedModel.call(careful, {})))
          const { id } = yield* gateway.create({ owner })
          yield* gateway.send({ sessionId: id, text: "go" })
          yield* gateway
            .events({ sessionId: id })
            .pipe(Stream.filter(SessionEvent.is("permission.asked")), Stream.runHead)
        })
      )
      for (const [name, rows] of [
        ["ann", 2],
        ["bob", 1],
        ["nobody", 0]
      ] as const) {
        const { questions } = yield* Gateway.forOwner(Session.Owner.make(name))
        expect(yield* questions()).toHaveLength(rows)
        expect(yield* Counting.costOf(questions())).toMatchObject({ reads: 1, rows, writes: 0, fibers: 0 })
      }
    })
  )

  budget(
    "simultaneous appends to many sessions take one commit",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const sessions = yield* Effect.forEach(Array.from({ length: 256 }), () => gateway.create({ workdir: "/" }))
      const append = Effect.forEach(sessions, ({ id }) => gateway.append(id, [Message.userText("one")]), {
        concurrency: "unbounded"
      })
      expect(yield* Counting.costOf(append)).toMatchObject({ reads: 0, commits: 1 })
    })
  )

  budget(
    "a turn takes five commits and reads, one more commit per portion of calls, and two fibers per call",
    Effect.gen(function* () {
      const few = yield* Counting.costOf(turn(10))
      const many = yield* Counting.costOf(turn(100))
      expect(few.commits).toBe(5)
      expect(many.commits).toBeLessThanOrEqual(5 + 3)
      expect([few.reads, many.reads]).toEqual([5, 5])
      expect((many.fibers - few.fibers) / 90).toBeLessThanOrEqual(2.1)
      expect((many.writes - few.writes) / 90).toBeLessThanOrEqual(9.1)
    })
  )

  budget(
    "messages that wait in a queue make neither the turn before them read more nor the next message",
    Effect.gen(function* () {
      yield* queueing(2)
      const few = yield* queueing(2)
      const many = yield* queueing(200)
      expect(many.queued).toEqual(few.queued)
      expect(many.goneOn.reads).toBeLessThanOrEqual(few.goneOn.reads + 2)
      expect(many.goneOn.rows).toBeLessThanOrEqual(few.goneOn.rows + 10)
    })
  )

  budget(
    "a call takes at most five writes from its start until it is closed with its run",
    Effect.gen(function* () {
      const few = yield* Counting.costOf(cancelled(10))
      const many = yield* Counting.costOf(cancelled(100))
      expect((many.writes - few.writes) / 90).toBeLessThanOrEqual(2 + 3)
    })
  )

  budget(
    "a turn in a long session reads about as much as one in a session that just fills the context",
    Effect.gen(function* () {
      const filling = yield* Counting.costOf(turnIn(yield* longSession(1_000)))
      const long = yield* Counting.costOf(turnIn(yield* longSession(10_000)))
      expect(filling.rows).toBeLessThan(1_000)
      expect(Math.abs(long.rows - filling.rows)).toBeLessThan(200)
      expect(Math.abs(long.characters - filling.characters)).toBeLessThan(200_000)
      expect(long).toMatchObject({ writes: filling.writes, commits: filling.commits, fibers: filling.fibers })
    })
  )

  budget(
    "each further step of a long session reads the session's row and nothing of its transcript",
    Effect.gen(function* () {
      const { id } = yield* longSession(10_000)
      const steps = yield* Steps
      yield* turnIn({ id, steps: 8 })
      // The second step is the first that has something to add.
      const further = steps.slice(2).map((step, index) => ({
        rows: step.rows - (steps[index + 1]?.rows ?? 0),
        characters: step.characters - (steps[index + 1]?.characters ?? 0) < 1_000,
        commits: step.commits - (steps[index + 1]?.commits ?? 0)
      }))
      expect(further).toEqual(Array.from({ length: 6 }, () => ({ rows: 1, characters: true, commits: 2 })))
    })
  )

  budget(
    "reading a transcript yields to the event loop after a bounded number of entries and bytes",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* longSession(6_000)
      const entries = yield* mostAtOnce(
        "entries",
        Stream.runForEach(gateway.transcript({ sessionId: id }), () => count("entries"))
      )
      expect(entries).toBeGreaterThan(500)
      expect(entries).toBeLessThanOrEqual(1_050)
      // Ten of these messages exceed a portion's bytes, though a single one does not.
      const { id: large } = yield* longSession(30, 200_000)
      const largeEntries = yield* mostAtOnce(
        "entries",
        Stream.runForEach(gateway.transcript({ sessionId: large }), () => count("entries"))
      )
      expect(largeEntries).toBeLessThan(10)
    })
  )

  budget(
    "batches yield to the event loop after a bounded number of calls, alone or several together",
    Effect.gen(function* () {
      // The test's turns and the portion's turns may come in either order.
      expect(yield* mostAtOnce("calls", turn(300))).toBeLessThanOrEqual(64)
      const together = Effect.all(
        Array.from({ length: 10 }, () => turn(100)),
        { concurrency: "unbounded" }
      )
      expect(yield* mostAtOnce("calls", together)).toBeLessThanOrEqual(64)
    })
  )

  budget(
    "steps yield to the event loop after a bounded number of parts, alone or several together",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      const sessions = yield* Effect.replicateEffect(gateway.create({ workdir: "/" }), 4)
      const partsAtOnce = (among: typeof sessions, parts: number) => {
        const said = Effect.forEach(
          among,
          ({ id }) => Effect.flatMap(gateway.send({ sessionId: id, text: "go" }), Run.await),
          { concurrency: "unbounded" }
        )
        const steps = among.map(() => ScriptedModel.text(Array.from({ length: parts }, () => "word ")))
        return Effect.zipRight(model.play(...steps), mostAtOnce("parts", said))
      }
      // The model is asked for a few more parts than are taken.
      expect(yield* partsAtOnce(sessions.slice(0, 1), 3_000)).toBeLessThanOrEqual(2 * 512 + 64)
      expect(yield* partsAtOnce(sessions, 1_500)).toBeLessThanOrEqual(2 * 512 + 4 * 64)
    })
  )

  budget(
    "a list yields to the event loop after the metadata of some sessions, and a replay comes in pages",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const counter = yield* Counter
      yield* Effect.replicateEffect(gateway.create({ workdir: "/", metadata: { a: "a".repeat(2_000) } }), 200)
      const page = Effect.map(gateway.sessions({ limit: 190, total: true }), ({ next, sessions, total }) => {
        expect([sessions.length, total, next !== null]).toEqual([190, 200, true])
        expect(sessions.every(({ metadata }) => metadata["a"] === "a".repeat(2_000))).toBe(true)
      })
      // Each session itself has another 300 characters.
      expect(yield* Counting.mostOf(() => counter.characters, page)).toBeLessThan(200 * 500 + 2 * 16 * 2_100)
      const long = { a: "a".repeat(50_000) }
      yield* Effect.replicateEffect(gateway.create({ workdir: "/of-long", metadata: long }), 48)
      // Three for the reads, and one for every ten that are decoded, except for the first ten. Each turn counts twice.
      expect(yield* turnsOf(() => gateway.sessions({ limit: 100, workdir: "/of-long" }))).toBe(2 * (3 + 4))
      const { id } = yield* longSession(1_000)
      const { cursor } = yield* gateway.session(id)
      const pages: Array<number> = []
      yield* gateway.events({ sessionId: id }).pipe(
        Stream.takeUntil((event) => SessionEvent.isDurable(event) && event.cursor >= cursor),
        Stream.chunks,
        Stream.runForEach((events) => Effect.sync(() => pages.push(events.length)))
      )
      expect(pages).toEqual([256, 256, 256, cursor - 3 * 256])
    })
  )

  budget(
    "filling a large context yields to the event loop after each page that is read, and within pages",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      const sessions = yield* Effect.replicateEffect(longSession(2_000), 5)
      yield* Effect.forEach(sessions, ({ id }) => gateway.patch({ sessionId: id, title: largeContext }))
      yield* model.play(...sessions.map(() => ScriptedModel.text("done")))
      const [first, ...others] = sessions
      if (first === undefined) return
      const answered = ({ id }: typeof first) => Effect.flatMap(gateway.send({ sessionId: id, text: "go" }), Run.await)
      yield* answered(first)
      const turns = yield* turnsOf((time) => answered(others[time] ?? first))
      // Five pages, some 250 entries each, and 2,000 that are put together and then shown.
      expect(turns).toBe(2 * (4 + 5 + 2))
    })
  )

  budget(
    "a turn of many messages is read in full pages",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      const texts = Array.from({ length: 500 }, () => Message.userText("x".repeat(1_000)))
      yield* Effect.replicateEffect(gateway.append(id, texts), 4)
      const counter = yield* Counter
      const before = { ...counter }
      yield* turnIn({ id, steps: 1 })
      // Pages of 50, 100, 200 and 400, then of 500, with two reads each; plus the reads of any turn.
      expect(counter.reads - before.reads).toBeLessThanOrEqual(2 * (4 + 3) + 5)
      expect(counter.rows - before.rows).toBeLessThan(2_000 + 100)
    })
  )

  budget(
    "an append yields to the event loop while it checks and hashes a large message, not for a short one",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      const append = (characters: number) => (time: number) =>
        gateway.append(id, [Message.userText("x".repeat(characters))], `${characters} ${time}`)
      expect(yield* turnsOf(append(10))).toBe(0)
      // One turn after its JSON, one after its canonical JSON and one after its hash. Each of the engine's turns counts
      // twice.
      expect(yield* turnsOf(append(4_000_000))).toBe(6)
    })
  )

  budget(
    "an append yields to the event loop while it checks many messages, adds call ids to them and hashes them",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      const texts = (count: number) => Array.from({ length: count }, () => Message.userText("one"))
      const calls = (count: number) =>
        Array.from({ length: count / 2 }, (_, n) => [
          assistant([{ type: "call", callId: `foreign ${n}`, name: "noop", input: "{}" }]),
          { role: "tool" as const, callId: `foreign ${n}`, name: "noop", outcome: "success" as const, text: "done" }
        ]).flat()
      const refused = (messages: ReadonlyArray<Gateway.ForeignMessage>, key?: string) =>
        Effect.flip(gateway.append(id, [...messages, Message.userText(" ")], key))
      // A refused call costs the turns for what was done before the write. Each of the engine's turns counts twice.
      expect(yield* turnsOf(() => refused(texts(50), "few"))).toBe(0)
      expect(yield* turnsOf(() => refused(texts(4_000)))).toBe(2 * 8)
      expect(yield* turnsOf(() => refused(texts(4_000), "many"))).toBe(2 * (8 + 5))
      expect(yield* turnsOf(() => refused(calls(4_000)))).toBe(2 * (8 + 6))
    })
  )

  budget(
    "a write of many statements yields to the event loop: closing many calls, appending many messages",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const counter = yield* Counter
      const [few, many] = [yield* running(20), yield* running(400)]
      expect(yield* turnsOf(() => gateway.cancel(few.runId))).toBeLessThanOrEqual(2)
      expect(yield* Counting.mostOf(() => counter.writes, gateway.cancel(many.runId))).toBeLessThanOrEqual(9 * 64)
      const { id } = yield* gateway.create({ workdir: "/" })
      const append = (count: number) =>
        gateway.append(
          id,
          Array.from({ length: count }, () => Message.userText("one"))
        )
      expect(yield* turnsOf(() => append(50))).toBe(0)
      expect(yield* Counting.mostOf(() => counter.writes, append(1_000))).toBeLessThanOrEqual(9 * 64)
    })
  )

  budget(
    "a snapshot yields to the event loop after some open calls",
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const [few, many] = [yield* running(100), yield* running(300)]
      expect(yield* turnsOf(() => gateway.snapshot(few.id))).toBe(0)
      expect(yield* turnsOf(() => gateway.snapshot(many.id))).toBe(2 * 2)
      yield* Effect.forEach([few, many], ({ runId }) => gateway.cancel(runId))
    })
  )
})
