/** Hints about all sessions: their content, order, frequency and cost. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Queue, Stream, TestClock } from "effect"
import { Gateway, Permissions, type Session, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ground, type Options } from "../runtime/engines.js"
import { ann, bob } from "./owners.js"

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("allowed"))
const options = { tools: [ask], policy: Permissions.askToWrite }

/** Engine `one` over a storage of its own, with its reads of changes counted. */
const opened = (own: Options = {}) =>
  Effect.gen(function* () {
    const world = yield* ground
    const reads: Array<string> = []
    const one = yield* world.open("one", {
      ...options,
      reader: (reader) => ({
        ...reader,
        states: (ids) =>
          Effect.zipRight(
            Effect.sync(() => reads.push(`states of ${ids.length}`)),
            reader.states(ids)
          ),
        changes: (range) =>
          Effect.zipRight(
            Effect.sync(() => reads.push("changes")),
            reader.changes(range)
          )
      }),
      ...own
    })
    return { ...world, one, reads, gateway: one.gateway }
  })

const line = (hint: Gateway.SessionHint): string => {
  if (hint.kind === "gap") return "gap"
  return hint.kind === "session.deleted"
    ? `${hint.sessionId} deleted`
    : `${hint.sessionId} ${hint.kind} ${hint.cursor} ${hint.activity}`
}

/** Collects hints, chunk by chunk, as lines. */
const hints = (gateway: Gateway.Service) =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<string>()
    const taken = Effect.map(Queue.takeAll(queue), Chunk.toReadonlyArray)
    yield* Effect.forkScoped(Stream.runForEach(gateway.changes(), (hint) => Queue.offer(queue, line(hint))))
    yield* Quiescence.idle
    return {
      /** The hints that have arrived. */
      now: Effect.zipRight(Quiescence.idle, taken),
      /** The hints that have arrived once a moment is over. */
      soon: Effect.zipRight(TestClock.adjust("40 millis"), Effect.zipRight(Quiescence.idle, taken))
    }
  })

const failing = ([id]: ReadonlyArray<Session.Id>) =>
  new SkeinError.RowDamaged({ sessionId: String(id), seq: null, detail: "broken" })

/** A subscriber that takes one chunk each time that it is allowed to. */
const slow = (gateway: Gateway.Service) =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(gateway.changes())
    return Effect.map(pull, (chunk) => Chunk.toReadonlyArray(chunk).map(line))
  })

const named = (gateway: Gateway.Service, ids: ReadonlyArray<string>, owner?: Session.Owner) =>
  Effect.forEach(ids, (title) => Effect.map(gateway.create({ title, owner }), ({ id }) => id))

const touch = (gateway: Gateway.Service, sessionId: Session.Id) => gateway.patch({ sessionId, metadata: { n: 1 } })

describe("changes", () => {
  it.scoped("begin with a gap, then report each changed session once per moment, in the order of the commits", () =>
    Effect.gen(function* () {
      const { gateway } = yield* opened()
      const [a, b, c] = yield* named(gateway, ["a", "b", "c"])
      if (a === undefined || b === undefined || c === undefined) return
      const told = yield* hints(gateway)
      expect(yield* told.now).toEqual(["gap"])
      yield* gateway.patch({ sessionId: a, title: "A" })
      expect(yield* told.now).toEqual([`${a} session.renamed 2 idle`])
      // The moment is not over yet: what comes now waits for its end.
      yield* gateway.patch({ sessionId: c, title: "C" })
      yield* gateway.patch({ sessionId: b, title: "B" })
      yield* gateway.patch({ sessionId: c, title: "Cc" })
      yield* touch(gateway, a)
      expect(yield* told.now).toEqual([])
      expect(yield* told.soon).toEqual([
        `${b} session.renamed 2 idle`,
        `${c} session.renamed 3 idle`,
        `${a} session.renamed 2 idle`
      ])
      expect(yield* told.soon).toEqual([])
    })
  )

  it.scoped("say what a session is doing", () =>
    Effect.gen(function* () {
      const { gateway, model, one } = yield* opened()
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
      const told = yield* hints(gateway)
      yield* told.now
      const run = yield* one.begin("go")
      const { questionId } = yield* one.seen(run, "permission.asked")
      const before = [...(yield* told.now), ...(yield* told.soon)]
      expect(before.at(-1)).toMatch(/ permission\.asked \d+ asks$/)
      yield* gateway.answer({ questionId, verdict: "allow-once" })
      yield* gateway.await(run)
      const after = [...(yield* told.now), ...(yield* told.soon)]
      expect(after.at(-1)).toMatch(/ run\.ended \d+ idle$/)
    })
  )

  it.scoped("report that a session is deleted, and a new one under its id", () =>
    Effect.gen(function* () {
      const { gateway } = yield* opened()
      const [a, b] = yield* named(gateway, ["a", "b"])
      if (a === undefined || b === undefined) return
      const told = yield* hints(gateway)
      yield* told.now
      yield* gateway.delete(a)
      const all = [...(yield* told.now), ...(yield* told.soon), ...(yield* told.soon)]
      expect(all.filter((one) => one.endsWith("deleted"))).toEqual([`${a} deleted`])
      expect(all).not.toContain("gap")
      yield* gateway.create({ id: a })
      expect(yield* told.now).toEqual([expect.stringMatching(`${a} session.created`)])
    })
  )

  it.scoped("of one owner report only that owner's sessions, even deletions", () =>
    Effect.gen(function* () {
      const { gateway, one } = yield* opened()
      const anns = yield* Effect.provide(Gateway.forOwner(ann), one.context)
      const told = yield* hints(anns)
      const toldBob = yield* hints(yield* Effect.provide(Gateway.forOwner(bob), one.context))
      yield* Effect.all([told.now, toldBob.now])
      const [mine] = yield* named(gateway, ["mine"], ann)
      const [his] = yield* named(gateway, ["his"], bob)
      if (mine === undefined || his === undefined) return
      yield* gateway.delete(his)
      yield* gateway.delete(mine)
      const all = [...(yield* told.now), ...(yield* told.soon), ...(yield* told.soon)]
      expect(all.filter((one) => !one.startsWith(mine))).toEqual([])
      expect(all.at(-1)).toBe(`${mine} deleted`)
      const bobs = [...(yield* toldBob.now), ...(yield* toldBob.soon)]
      expect(bobs.filter((one) => !one.startsWith(his))).toEqual([])
      expect(bobs.at(-1)).toBe(`${his} deleted`)
    })
  )

  it.scoped("wait for a slow reader, one per session; beyond a bound, a gap replaces them", () =>
    Effect.gen(function* () {
      const { gateway } = yield* opened()
      const ids = yield* named(
        gateway,
        Array.from({ length: 1_001 }, (_, n) => `${n}`)
      )
      const pull = yield* slow(gateway)
      expect(yield* pull).toEqual(["gap"])
      const change = (all: ReadonlyArray<Session.Id>) =>
        Effect.gen(function* () {
          for (const id of all) yield* touch(gateway, id)
          yield* Quiescence.idle
          yield* TestClock.adjust("40 millis")
          yield* Quiescence.idle
        })
      yield* change(ids.slice(1))
      yield* change(ids.slice(1, 11))
      const told = yield* pull
      expect(told).toHaveLength(1_000)
      expect(told.at(-1)).toContain(ids[10])
      yield* change(ids.slice(0, 600))
      yield* change(ids.slice(400))
      expect(yield* pull).toEqual(["gap"])
      yield* change(ids.slice(0, 1))
      expect(yield* pull).toEqual([expect.stringContaining(String(ids[0]))])
    })
  )

  it.scoped("cost one read per moment, however many watch and however much changes, and none without watchers", () =>
    Effect.gen(function* () {
      const { gateway, reads } = yield* opened()
      const ids = yield* named(
        gateway,
        Array.from({ length: 100 }, (_, n) => `${n}`)
      )
      yield* TestClock.adjust("1 second")
      expect(reads).toEqual([])
      const fibers = yield* Effect.replicateEffect(Effect.forkScoped(Stream.runDrain(gateway.changes())), 20)
      yield* Quiescence.idle
      expect(reads.splice(0)).toEqual(["changes"])
      for (let round = 0; round < 3; round++) for (const id of ids) yield* touch(gateway, id)
      yield* Quiescence.idle
      yield* TestClock.adjust("40 millis")
      yield* Quiescence.idle
      const states = reads.splice(0)
      expect(states.length).toBeLessThanOrEqual(2)
      expect(states.at(-1)).toMatch(/^states of \d+$/)
      yield* Fiber.interruptAll(fibers)
      for (const id of ids) yield* touch(gateway, id)
      yield* TestClock.adjust("1 second")
      expect(reads).toEqual([])
    })
  )

  it.scoped("fail for all readers when storage fails, and begin again for a later reader", () =>
    Effect.gen(function* () {
      const broken = yield* Deferred.make<void>()
      const { gateway } = yield* opened({
        reader: (reader) => ({
          ...reader,
          states: (ids) => Effect.flatMap(Deferred.isDone(broken), (is) => (is ? reader.states(ids) : failing(ids)))
        })
      })
      const [a] = yield* named(gateway, ["a"])
      if (a === undefined) return
      const reading = Effect.fork(Effect.flip(Stream.runDrain(gateway.changes())))
      const waiting = yield* Effect.replicateEffect(reading, 3)
      yield* Quiescence.idle
      yield* touch(gateway, a)
      const failures = yield* Effect.forEach(waiting, Fiber.join)
      expect(failures.map(({ _tag }) => _tag)).toEqual(["RowDamaged", "RowDamaged", "RowDamaged"])
      yield* Deferred.succeed(broken, undefined)
      const told = yield* hints(gateway)
      expect(yield* told.now).toEqual(["gap"])
      yield* touch(gateway, a)
      expect(yield* told.now).toEqual([`${a} session.created 1 idle`])
    })
  )
})
