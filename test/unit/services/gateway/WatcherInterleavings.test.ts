/**
 * Watchers in generated interleavings: they come, leave and dawdle while two processes commit; a step here or elsewhere
 * writes, is retried, stored, released and gone on with; and events age out. Commits of the other process are seen only
 * when an engine looks for them.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, FastCheck, Fiber, Layer, Queue, Scope, Stream, TestClock } from "effect"
import { Session, SessionEvent, SkeinError } from "skein"
import { Quiescence } from "skein/testing"
import * as Storages from "../../../../src/adapters/testing/storage/fixture.js"
import type { Lease } from "../../../../src/domain/Lease.js"
import * as Live from "../../../../src/domain/Live.js"
import { RunId } from "../../../../src/domain/Run.js"
import * as Subscriptions from "../../../../src/services/gateway/Subscriptions.js"
import * as LiveRuns from "../../../../src/services/runtime/LiveRuns.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import * as Stretch from "../../../../src/services/Stretch.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"

const { s1 } = Storages
const model = { provider: "p", model: "m" }

const choice = FastCheck.record
const place = FastCheck.nat(30)
const elsewhere = FastCheck.boolean()
const op = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: choice({ do: FastCheck.constant("join" as const), from: place, isSlow: FastCheck.boolean() })
  },
  { weight: 1, arbitrary: choice({ do: FastCheck.constant("leave" as const), who: place }) },
  { weight: 4, arbitrary: choice({ do: FastCheck.constant("read" as const), who: place }) },
  { weight: 3, arbitrary: choice({ do: FastCheck.constant("rename" as const), elsewhere }) },
  { weight: 2, arbitrary: choice({ do: FastCheck.constant("begin" as const), elsewhere }) },
  {
    weight: 7,
    arbitrary: choice({
      do: FastCheck.constantFrom(...(["write", "write", "write", "save", "retry", "store"] as const))
    })
  },
  { weight: 1, arbitrary: choice({ do: FastCheck.constantFrom(...(["end", "release"] as const)), elsewhere }) },
  { weight: 1, arbitrary: choice({ do: FastCheck.constant("prune" as const), keep: FastCheck.nat(6) }) },
  { weight: 2, arbitrary: choice({ do: FastCheck.constant("look" as const) }) },
  { weight: 3, arbitrary: choice({ do: FastCheck.constant("wait" as const), turns: FastCheck.nat(12) }) },
  { weight: 2, arbitrary: choice({ do: FastCheck.constant("pause" as const), millis: FastCheck.nat(60) }) }
)
type Op = typeof op extends FastCheck.Arbitrary<infer A> ? A : never

/** What one attempt of a step has written. */
interface Text {
  readonly seq: number
  /** The newest event that a watcher must have been told before this text. */
  readonly after: number
  whole: string
}

interface Going {
  readonly lease: Lease
  readonly isElsewhere: boolean
  live: Live.Live
  text: Text | null
}

interface Watcher {
  readonly after: number
  readonly told: Array<SessionEvent.SessionEvent>
  readonly permits: Queue.Queue<void>
  readonly scope: Scope.CloseableScope
  readonly fiber: Fiber.RuntimeFiber<void, unknown>
  hasLeft: boolean
}

const scenario = Effect.fnUntraced(function* (ops: ReadonlyArray<Op>, delays: ReadonlyArray<number>) {
  const signals = Context.get(yield* Layer.build(EventSignals.layer), EventSignals.EventSignals)
  let isHeard = true
  const heard = Layer.succeed(EventSignals.EventSignals, {
    ...signals,
    signal: (id) => (isHeard ? signals.signal(id) : undefined)
  })
  const stored = yield* Layer.build(Layer.provide(MemoryStorage.layer, heard))
  const [storage, reader] = [Context.get(stored, Storage), Context.get(stored, StorageReader)]
  const live = Context.get(yield* Layer.build(LiveRuns.layer), LiveRuns.LiveRuns)
  let reads = 0
  const slowly = <A, E>(read: Effect.Effect<A, E>) => {
    const turns = Effect.suspend(() => Effect.repeatN(Effect.yieldNow(), delays[reads++ % delays.length] ?? 0))
    return Effect.zipRight(turns, Effect.zipLeft(read, turns))
  }
  const subscriptions = yield* Effect.provide(
    Subscriptions.make,
    Context.make(EventSignals.EventSignals, signals).pipe(
      Context.add(LiveRuns.LiveRuns, live),
      Context.add(StorageReader, {
        ...reader,
        events: (range) => slowly(reader.events(range)),
        draft: (id) => slowly(reader.draft(id))
      })
    )
  )

  const journal = new Map<number, SessionEvent.Durable>()
  const texts: Array<Text> = []
  const watchers: Array<Watcher> = []
  let [signalled, newest, floor] = [0, 0, 0]
  let going: Going | null = null
  let released: Lease | null = null
  let counter = 0

  /** A commit by this process or by the other. */
  const commit = <A, E>(isElsewhere: boolean, change: Effect.Effect<A, E, Storage>) =>
    Effect.gen(function* () {
      isHeard = !isElsewhere
      const value = yield* Effect.provide(change, stored)
      isHeard = true
      for (const event of yield* reader.events({ sessionId: s1, after: newest, limit: 1_000 })) {
        journal.set(event.cursor, event)
        newest = event.cursor
      }
      if (!isElsewhere) signalled = newest
      return value
    })

  const change = (run: Going, by: (now: Live.Live) => Live.Live) =>
    Effect.suspend(() => {
      run.live = by(run.live)
      return run.isElsewhere ? Effect.void : live.set(s1, run.live)
    })

  const drive = (lease: Lease, runId: RunId, isElsewhere: boolean) =>
    Effect.suspend(() => {
      released = null
      going = { lease, isElsewhere, live: Live.start(runId), text: null }
      return change(going, (now) => now)
    })

  const over = (run: Going) =>
    Effect.zipRight(
      run.isElsewhere ? Effect.void : live.remove(s1, run.lease.runId),
      Effect.sync(() => {
        going = null
        if (!run.isElsewhere) signals.signal(s1)
      })
    )

  const newText = (run: Going, seq: number): Text => {
    const id = String(texts.length).padStart(3, "0")
    const text = { seq, after: run.isElsewhere ? newest : signalled, whole: `<${id}>` }
    texts.push(text)
    run.text = text
    return text
  }

  const write = (run: Going, delta: string) => change(run, (now) => Live.addPart(now, { type: "text", id: "t", delta }))

  const act = (op: Op): Effect.Effect<unknown, unknown, Scope.Scope> => {
    const who = "who" in op ? watchers[op.who % Math.max(watchers.length, 1)] : undefined
    switch (op.do) {
      case "join":
        return Effect.gen(function* () {
          const after = op.from > 20 ? newest : op.from === 0 ? 0 : Math.max(Math.min(op.from, newest), floor)
          const told: Array<SessionEvent.SessionEvent> = []
          const permits = yield* Queue.unbounded<void>()
          const scope = yield* Scope.make()
          const stream = yield* Scope.extend(
            subscriptions.events({ sessionId: s1, after: Session.Cursor.make(after) }),
            scope
          )
          const fiber = yield* Effect.forkIn(
            Stream.runForEachChunk(stream, (events) =>
              Effect.zipRight(
                Effect.sync(() => told.push(...events)),
                op.isSlow ? Queue.take(permits) : Effect.void
              )
            ),
            scope
          )
          watchers.push({ after, told, permits, scope, fiber, hasLeft: false })
        })
      case "leave":
        if (who === undefined) return Effect.void
        who.hasLeft = true
        return Scope.close(who.scope, Exit.void)
      case "read":
        return who === undefined ? Effect.void : Queue.offer(who.permits, undefined)
      case "rename":
        return commit(
          op.elsewhere,
          Effect.suspend(() => storage.patch(s1, { title: `title ${++counter}` }))
        )
      case "look":
        signalled = newest
        return Effect.sync(signals.signalAll)
      case "wait":
        return Effect.repeatN(Effect.yieldNow(), op.turns)
      case "pause":
        return TestClock.adjust(op.millis)
      case "prune":
        return Effect.gen(function* () {
          yield* storage.prune({ before: 1e15, keep: op.keep, since: 1e15 })
          const gone = yield* Effect.flip(reader.events({ sessionId: s1, after: newest + 1, limit: 1 }))
          if (gone._tag === "CursorGone") floor = gone.oldest - 1
        })
      case "begin":
        return Effect.gen(function* () {
          if (going !== null) return
          if (released !== null) {
            const lease = released
            const seen = { lease, count: 0, reason: "released", lookedAt: 0, recovery: "continue" } as const
            const taken = yield* commit(op.elsewhere, storage.takeOver(seen, Storages.secondEngine))
            expect(taken._tag).toBe("Continues")
            if (taken._tag === "Continues") yield* drive(taken.lease, taken.run.id, op.elsewhere)
            return
          }
          const runId = RunId.make(`run-${++counter}`)
          const { lease } = yield* commit(op.elsewhere, Storages.start({ runId }))
          yield* drive(lease, runId, op.elsewhere)
        })
      case "write":
        return Effect.gen(function* () {
          const run = going
          if (run === null) return
          if (run.text !== null) {
            const delta = "abcdefghij".slice(0, 1 + (run.text.whole.length % 7))
            run.text.whole += delta
            return yield* write(run, delta)
          }
          const { head } = yield* reader.session(s1)
          const text = newText(run, head + 1)
          yield* change(run, (now) => Live.beginStep(now, Session.Seq.make(text.seq), model))
          yield* write(run, text.whole)
        })
      case "save":
        return Effect.suspend(() => {
          const draft = going === null ? null : Live.draftOf(going.live)
          return going === null || draft === null
            ? Effect.void
            : commit(going.isElsewhere, storage.saveDrafts([{ lease: going.lease, draft }]))
        })
      case "retry":
        return Effect.gen(function* () {
          const run = going
          if (run === null || run.text === null) return
          const attempt = (run.live.step?.attempt ?? 0) + 1
          const text = newText(run, run.text.seq)
          yield* change(run, (now) => Live.retryStep(now, { attempt, delayMillis: 0, reason: "overloaded" }))
          yield* write(run, text.whole)
        })
      case "store":
        return Effect.gen(function* () {
          const run = going
          if (run === null || run.text === null) return
          const { seq, whole } = run.text
          const call = `c${++counter}`
          yield* commit(run.isElsewhere, Storages.appendStep(run.lease, Storages.assistant(whole, [call])))
          yield* change(run, Live.endStep)
          run.text = null
          yield* commit(
            run.isElsewhere,
            Storages.storeResult(run.lease, Session.Seq.make(seq + 1), Storages.result(call))
          )
        })
      case "end":
        return Effect.gen(function* () {
          const run = going
          if (run === null) return
          yield* commit(run.isElsewhere, storage.endRun(run.lease, { stopReason: "completed", detail: null }))
          yield* over(run)
        })
      case "release":
        return Effect.gen(function* () {
          const run = going
          if (run === null) return
          yield* commit(run.isElsewhere, storage.releaseRun(run.lease))
          released = { ...run.lease, fence: run.lease.fence + 1 }
          yield* over(run)
        })
    }
  }

  yield* commit(false, Storages.create())
  for (const op of ops) yield* act(op)

  // All watchers read to the end, and everything is checked.
  for (const { permits } of watchers)
    yield* Queue.offerAll(
      permits,
      Array.from({ length: 1_000 }, () => undefined)
    )
  yield* Quiescence.idle
  // By now everything that was signalled must have been read, without any further signal.
  const unheard = watchers.filter(({ fiber, hasLeft, told }) => {
    const durable = told.filter(SessionEvent.isDurable).at(-1)
    return !hasLeft && fiber.unsafePoll() === null && durable !== undefined && durable.cursor < signalled
  })
  expect(unheard).toEqual([])
  yield* act({ do: "save" })
  for (let round = 0; round < 3; round++) {
    yield* act({ do: "look" })
    yield* Quiescence.idle
    yield* TestClock.adjust(40)
    yield* Quiescence.idle
  }
  const last = lastText()
  for (const { after, fiber, hasLeft, scope, told } of watchers) {
    const seen = verify(told, after)
    const exit = fiber.unsafePoll()
    if (!hasLeft && exit !== null) {
      const error = yield* Effect.flip(Fiber.join(fiber))
      expect(error).toBeInstanceOf(SkeinError.CursorGone)
      if (error instanceof SkeinError.CursorGone) expect(error.after).toBe(seen.cursor)
      expect(seen.cursor).toBeLessThan(floor)
    } else if (!hasLeft) {
      expect(seen.cursor).toBe(newest)
      if (last !== null) expect(seen.text).toBe(last.whole)
    }
    yield* Scope.close(scope, Exit.void)
  }
  expect(yield* signals.watched).toBe(0)

  function lastText(): Text | null {
    return going?.text ?? null
  }

  /** Checks everything that one watcher was told. Returns where that ends. */
  function verify(told: ReadonlyArray<SessionEvent.SessionEvent>, after: number) {
    let [cursor, text, stored] = [after, "", 0]
    const seen = new Set<Text>()
    for (const [index, event] of told.entries()) {
      if (SessionEvent.isDurable(event)) {
        if (index > 0 || after > 0) expect(event.cursor).toBe(cursor + 1)
        const { at, sessionId, type } = event
        expect(journal.get(event.cursor)).toMatchObject({ at, sessionId, type })
        cursor = event.cursor
        if (event.type === "message.appended" && event.role === "assistant") stored = event.seq
        if (event.type === "run.released") text = ""
        continue
      }
      expect(event.after).toBe(cursor)
      if (event.type === "run.retrying") text = ""
      if (event.type !== "text.delta") continue
      if (event.offset === 0) text = ""
      expect(event.offset).toBe(text.length)
      text += event.text
      const written = texts.find(({ whole }) => whole.startsWith(text))
      expect(written).toBeDefined()
      if (written === undefined) continue
      if (event.offset === 0) expect(seen).not.toContain(written)
      seen.add(written)
      expect(written.seq).toBeGreaterThan(stored)
      expect(cursor).toBeGreaterThanOrEqual(written.after)
    }
    return { cursor, text }
  }
})

/** The hub is at a position whose next events have aged out, while a watcher that joined ahead of the hub has them. */
const aged: ReadonlyArray<Op> = [
  { do: "join", from: 30, isSlow: false },
  { do: "wait", turns: 12 },
  { do: "rename", elsewhere: true },
  { do: "rename", elsewhere: true },
  { do: "join", from: 30, isSlow: false },
  { do: "wait", turns: 12 },
  { do: "prune", keep: 1 },
  { do: "look" }
]

/** A run is released in the middle of a text and then gone on with: its text begins again. */
const goneOnWith: ReadonlyArray<Op> = [
  { do: "begin", elsewhere: false },
  { do: "join", from: 30, isSlow: false },
  { do: "write" },
  { do: "write" },
  { do: "wait", turns: 12 },
  { do: "release", elsewhere: false },
  { do: "begin", elsewhere: false },
  { do: "write" },
  { do: "wait", turns: 12 }
]

/** A commit while a watcher reads for the first time and a step here is writing. */
const meanwhile: ReadonlyArray<Op> = [
  { do: "begin", elsewhere: false },
  { do: "write" },
  { do: "join", from: 0, isSlow: false },
  { do: "wait", turns: 9 },
  { do: "rename", elsewhere: false }
]

describe("P10 watchers", () => {
  it.scoped.prop(
    "P10 are told each event after their cursor once and in order, and of each text a prefix of what was written",
    [
      FastCheck.array(op, { minLength: 5, maxLength: 60 }),
      FastCheck.array(FastCheck.nat(6), { minLength: 1, maxLength: 7 })
    ],
    ([ops, delays]) => scenario(ops, delays).pipe(Effect.scoped, Effect.provide([Quiescence.layer, Stretch.layer])),
    {
      fastCheck: {
        numRuns: 30,
        examples: [
          [[...aged], [0]],
          [[...goneOnWith], [0]],
          ...[4, 6, 8, 10].map((delay): [Array<Op>, Array<number>] => [[...meanwhile], [delay]])
        ]
      }
    }
  )
})
