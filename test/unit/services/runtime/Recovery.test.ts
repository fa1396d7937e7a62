import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Actor, Gateway, Run, Session } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { ground, type Options } from "./engines.js"
import { running } from "./leaving.js"

const continues = { recovery: "continue" } as const
const looking = { recoverMillis: 1_000 } as const

/** Waits for a run's end while time passes. */
const ended = (gateway: Gateway.Service, run: Run.Ref) =>
  Effect.gen(function* () {
    const waiting = yield* Effect.fork(gateway.await(run))
    yield* Quiescence.idle
    yield* TestClock.adjust("1 second")
    return yield* Fiber.join(waiting)
  })

describe("recovery: continue", () => {
  it.scoped("P5 continues a dead engine's run, and the model is told which calls were interrupted", () =>
    Effect.gen(function* () {
      const { die, gate, model, one, open, run } = yield* running(continues)
      yield* model.play(ScriptedModel.text("done"))
      yield* die
      const later = yield* open("later")
      expect((yield* ended(later.gateway, run)).stopReason).toBe("completed")
      expect(yield* later.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (wait)",
        expect.stringMatching(/^wait interrupted: .*Its effects are unknown/),
        "assistant: done"
      ])
      expect((yield* later.told(run.sessionId)).filter((line) => line.startsWith("run."))).toEqual([
        "run.started",
        "run.released",
        "run.ended completed"
      ])
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])
      yield* gate.open("x")
      yield* Quiescence.idle
      expect((yield* one.lines(run.sessionId)).at(-1)).toBe("assistant: done")
    })
  )

  it.scoped("ends a dead engine's run if the host does not choose it", () =>
    Effect.gen(function* () {
      const { die, open, run } = yield* running()
      yield* die
      const later = yield* open("later")
      expect((yield* ended(later.gateway, run)).stopReason).toBe("crashed")
    })
  )

  it.scoped("gives up a run that takes its engine down each time", () =>
    Effect.gen(function* () {
      const { declare, die, model, open, reader, run } = yield* running(continues)
      yield* die
      yield* model.play(...Array.from({ length: 4 }, () => ScriptedModel.hang))
      for (const instance of ["e1", "e2", "e3", "e4"]) {
        const engine = yield* open(instance)
        yield* Effect.ignore(engine.send(run.sessionId, "are you there?"))
        yield* Quiescence.idle
        yield* declare(instance, "dead")
      }
      const last = yield* open("last")
      expect(yield* ended(last.gateway, run)).toMatchObject({
        stopReason: "crashed",
        detail: "it was taken over 3 times and got no further"
      })
      expect((yield* reader.run(run.runId)).state).toBe("ended")
    })
  )

  for (const [what, limit, stopReason] of [
    ["steps", { stepLimit: 2 }, "step-limit"],
    ["repeated calls", { config: { ...continues, repeatLimit: 3 } }, "repeated-calls"]
  ] as const) {
    it.scoped(`counts ${what} from the run's start, not from its engine's`, () =>
      Effect.gen(function* () {
        const { call, declare, die, gate, model, open, run } = yield* running(continues, limit)
        yield* die
        yield* model.play(call("x"), call("x"))
        const second = yield* open("second", limit)
        yield* Effect.ignore(second.send(run.sessionId, "more"))
        yield* second.seen(run, "call.started", 2)
        yield* declare("second", "dead")
        const third = yield* open("third", limit)
        yield* Effect.ignore(third.send(run.sessionId, "more"))
        yield* gate.open("x")
        expect((yield* ended(third.gateway, run)).stopReason).toBe(stopReason)
      })
    )
  }

  it.scoped("ends a run whose transcript already has the answer, and does not ask the model again", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      // Earlier versions stored the run's end after the last step.
      const one = yield* open("one", {
        config: continues,
        storage: (own) => ({ ...own, appendStep: (lease, message) => own.appendStep(lease, message) })
      })
      yield* model.play(ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "message.appended", 2)
      yield* declare("one", "dead")
      const later = yield* open("later", { config: continues })
      expect((yield* ended(later.gateway, run)).stopReason).toBe("completed")
      expect(yield* model.requests).toHaveLength(1)
    })
  )
})

describe("a run that was left too long ago", () => {
  const late = { recovery: "continue", continueWithinMillis: 60_000 } as const

  /** A run that was released, or whose engine died, two minutes ago. */
  const left = (how: "released" | "crashed", config: Options["config"] = {}) =>
    Effect.gen(function* () {
      const world = yield* running({ ...late, ...config })
      yield* how === "released" ? world.one.close : world.die
      if (how === "crashed") yield* world.one.close.pipe(Effect.fork)
      yield* TestClock.adjust("2 minutes")
      return { ...world, later: yield* world.open("later") }
    })

  it.scoped("waits for a person: neither recovery nor a caller that waits for it starts it", () =>
    Effect.gen(function* () {
      const { later, run } = yield* left("released", looking)
      const waiting = yield* Effect.fork(later.gateway.await(run))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 minute")
      expect(yield* later.gateway.recover()).toEqual([])
      expect(waiting.unsafePoll()).toBeNull()
      expect((yield* later.gateway.run(run.runId)).state).toBe("running")
    })
  )

  for (const how of ["released", "crashed"] as const) {
    it.scoped(`costs searches nothing: the session of a ${how} run is neither claimed nor read`, () =>
      Effect.gen(function* () {
        const { open, run } = yield* left(how)
        let reads = 0
        const counted = <A, E>(read: Effect.Effect<A, E>) =>
          Effect.zipLeft(
            read,
            Effect.sync(() => reads++)
          )
        const { gateway } = yield* open("looking", {
          config: { ...late, ...looking },
          reader: (own) => ({
            ...own,
            unsettled: (since) =>
              Effect.tap(own.unsettled(since), (found) => Effect.sync(() => (reads += found.length))),
            occupancy: (id) => counted(own.occupancy(id)),
            openBatch: (id) => counted(own.openBatch(id))
          })
        })
        yield* TestClock.adjust("1 minute")
        expect(yield* gateway.recover()).toEqual([])
        expect(reads).toBe(0)
        expect((yield* gateway.run(run.runId)).state).toBe("running")
      })
    )
  }

  it.scoped("goes on when a person resumes it", () =>
    Effect.gen(function* () {
      const { later, model, run } = yield* left("released")
      yield* model.play(ScriptedModel.text("done"))
      expect((yield* later.gateway.resume(run.sessionId)).runId).toBe(run.runId)
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("ends when a person sends another message, which then gets its run", () =>
    Effect.gen(function* () {
      const { later, model, run } = yield* left("released")
      yield* model.play(ScriptedModel.text("hello"))
      const next = yield* later.send(run.sessionId, "never mind")
      expect((yield* later.gateway.await(next)).stopReason).toBe("completed")
      expect(yield* later.gateway.run(run.runId)).toMatchObject({
        stopReason: "crashed",
        detail: "its engine was closed, and nobody went on with it in time"
      })
    })
  )
})

describe("a released run", () => {
  it.scoped("that is cancelled ends as cancelled, without being continued for that", () =>
    Effect.gen(function* () {
      const { model, one, open, run } = yield* running()
      yield* one.close
      const later = yield* open("later")
      yield* later.gateway.cancel(run.runId)
      expect(yield* later.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "cancelled" })
      expect(yield* model.requests).toHaveLength(1)
    })
  )

  it.scoped("P7 is removed with its session", () =>
    Effect.gen(function* () {
      const { one, open, run } = yield* running()
      yield* one.close
      const later = yield* open("later")
      yield* later.gateway.delete(run.sessionId)
      expect((yield* Effect.flip(later.gateway.session(run.sessionId)))._tag).toBe("SessionNotFound")
    })
  )

  it.scoped("P5 is continued however often its engines are closed", () =>
    Effect.gen(function* () {
      const { call, gate, model, one, open, run } = yield* running()
      yield* one.close
      for (let deploy = 1; deploy <= 6; deploy++) {
        yield* model.play(ScriptedModel.hang)
        const engine = yield* open(`deploy-${deploy}`)
        yield* engine.gateway.resume(run.sessionId)
        yield* Quiescence.idle
        yield* engine.close
      }
      yield* model.play(call("last"), ScriptedModel.text("done"))
      yield* gate.open("last")
      const last = yield* open("last")
      yield* last.gateway.resume(run.sessionId)
      expect((yield* last.gateway.await(run)).stopReason).toBe("completed")
    })
  )
})

describe("an engine that is closed", () => {
  it.scoped("P5 gives its runs time to end, keeps their leases meanwhile, and starts no others", () =>
    Effect.gen(function* () {
      const { gate, model, one, open, run } = yield* running({ drainMillis: 60_000 })
      const second = yield* one.send(run.sessionId, "two", { whenBusy: "queue" })
      const idle = yield* one.session()
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* TestClock.adjust("40 seconds")
      expect((yield* Effect.flip(one.send(idle.id, "hello")))._tag).toBe("EngineClosing")
      expect((yield* Effect.flip(one.gateway.resume(idle.id)))._tag).toBe("EngineClosing")
      const other = yield* open("other")
      expect((yield* Effect.flip(other.send(run.sessionId, "me")))._tag).toBe("SessionBusy")
      yield* model.play(ScriptedModel.text("done"))
      yield* gate.open("x")
      yield* Fiber.join(closing)
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
      expect((yield* other.gateway.run(second.runId)).state).toBe("queued")
    })
  )

  it.scoped("releases the runs that have not ended in that time", () =>
    Effect.gen(function* () {
      const { one, open, run } = yield* running({ drainMillis: 60_000 })
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* TestClock.adjust("59 seconds")
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(closing)
      expect(yield* (yield* open("other")).gateway.run(run.runId)).toMatchObject({
        state: "running",
        releasedAt: 60_000
      })
    })
  )

  it.scoped("still cancels a run on request while it waits for that run", () =>
    Effect.gen(function* () {
      const { one, open, run } = yield* running({ drainMillis: 60_000 })
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      const other = yield* open("other")
      yield* other.gateway.cancel(run.runId)
      yield* Fiber.join(closing)
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("cancelled")
    })
  )
})

describe("Gateway.recover", () => {
  /** Sessions with one run each that engine `one` left behind. */
  const leftBehind = (count: number, config: Options["config"] = {}) =>
    Effect.gen(function* () {
      const world = yield* ground
      const one = yield* world.open("one")
      yield* world.model.play(...Array.from({ length: count }, () => ScriptedModel.hang))
      const runs = yield* Effect.forEach(Array.from({ length: count }), (_, index) =>
        Effect.flatMap(one.session({ owner: Session.Owner.make(index % 2 === 0 ? "ann" : "bob") }), ({ id }) =>
          one.send(id, "go")
        )
      )
      yield* Quiescence.idle
      yield* one.close
      return { ...world, runs, later: yield* world.open("later", { config }) }
    })

  const ids = (runs: ReadonlyArray<Run.Ref>): ReadonlyArray<Session.Id> => runs.map(({ sessionId }) => sessionId)

  it.scoped("continues the runs that were left behind, and returns their sessions, the oldest first", () =>
    Effect.gen(function* () {
      const { later, model, runs } = yield* leftBehind(3)
      expect((yield* later.gateway.sessions({ activity: ["running", "crashed"], total: true })).total).toBe(3)
      yield* model.play(...Array.from({ length: 3 }, () => ScriptedModel.text("done")))
      expect(yield* later.gateway.recover()).toEqual(ids(runs))
      for (const run of runs) expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect((yield* later.gateway.sessions({ activity: ["running", "crashed"], total: true })).total).toBe(0)
      expect(yield* later.gateway.recover()).toEqual([])
    })
  )

  it.scoped("drives no more runs than its limit", () =>
    Effect.gen(function* () {
      const { later, model, runs } = yield* leftBehind(5)
      yield* model.play(...Array.from({ length: 5 }, () => ScriptedModel.hang))
      expect(yield* later.gateway.recover({ limit: 2 })).toEqual(ids(runs).slice(0, 2))
      expect(yield* later.gateway.recover({ limit: 2 })).toEqual([])
      expect(yield* later.gateway.recover({ limit: 3 })).toEqual(ids(runs).slice(2, 3))
      expect(yield* Effect.flip(later.gateway.recover({ limit: 0 }))).toMatchObject({ field: "limit" })
    })
  )

  it.scoped("leaves alone the runs of a live engine", () =>
    Effect.gen(function* () {
      const { open, run } = yield* running()
      expect(yield* (yield* open("other")).gateway.recover()).toEqual([])
      expect((yield* (yield* open("third")).gateway.run(run.runId)).state).toBe("running")
    })
  )

  it.scoped("starts runs that a closed engine left in the queue, whoever sent them, through whichever engine", () =>
    Effect.gen(function* () {
      const { gate, model, one, open, run } = yield* running({ drainMillis: 60_000 })
      const other = yield* open("other")
      const queue = { whenBusy: "queue" } as const
      const queued = [
        yield* one.send(run.sessionId, "two", queue),
        yield* Actor.as(Actor.Actor.make("ann"))(one.send(run.sessionId, "three", queue)),
        yield* Actor.as(Actor.Actor.make("bob"))(other.send(run.sessionId, "four", queue))
      ]
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* model.play(ScriptedModel.text("done"), ...queued.map(() => ScriptedModel.text("so")))
      yield* gate.open("x")
      yield* Fiber.join(closing)
      const later = yield* open("later")
      expect(yield* later.gateway.recover()).toEqual([run.sessionId])
      const ends = yield* Effect.forEach(queued, later.gateway.await)
      expect(ends.map(({ actor, stopReason }) => [actor, stopReason])).toEqual(
        [null, "ann", "bob"].map((actor) => [actor, "completed"])
      )
    })
  )

  it.scoped("is done by the engine itself if the host wants it, when it opens and later", () =>
    Effect.gen(function* () {
      const { die, model, one, open, run } = yield* running(continues)
      const watching = yield* open("watching", { config: { ...continues, ...looking } })
      yield* Quiescence.idle
      expect((yield* watching.gateway.run(run.runId)).state).toBe("running")
      yield* model.play(ScriptedModel.text("done"), ScriptedModel.hang)
      yield* die
      yield* TestClock.adjust("1 second")
      yield* Quiescence.idle
      expect((yield* watching.gateway.run(run.runId)).stopReason).toBe("completed")

      const next = yield* watching.begin("again")
      yield* Quiescence.idle
      yield* watching.close
      yield* model.play(ScriptedModel.text("done"))
      const opened = yield* open("opened", { config: looking })
      yield* Quiescence.idle
      expect((yield* opened.gateway.run(next.runId)).stopReason).toBe("completed")
      yield* one.close
    })
  )

  it.scoped("checks each other engine once, however many runs it holds, and takes all runs of a dead one", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      yield* model.play(...Array.from({ length: 10 }, () => ScriptedModel.hang))
      const one = yield* open("one")
      const runs = yield* Effect.forEach(Array.from({ length: 10 }), () => one.begin("go"))
      yield* Quiescence.idle
      const looks: Array<string> = []
      const { gateway } = yield* open("watching", { config: continues, onLook: (instance) => looks.push(instance) })
      expect(yield* gateway.recover()).toEqual([])
      expect(looks).toEqual(["one"])
      yield* model.play(...runs.map(() => ScriptedModel.text("done")))
      yield* declare("one", "dead")
      expect(yield* gateway.recover()).toHaveLength(10)
      for (const run of runs) expect((yield* gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 goes on with other sessions while one takes long to claim", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      const gate = yield* Gate.make
      yield* model.play(ScriptedModel.hang, ScriptedModel.hang)
      const one = yield* open("one")
      const [slow, fast] = [yield* one.begin("slow"), yield* one.begin("fast")]
      yield* Quiescence.idle
      const { gateway } = yield* open("other", {
        config: continues,
        storage: (own) => ({
          ...own,
          takeOver: (seen, presence) =>
            seen.lease.runId === slow.runId
              ? Effect.zipRight(gate.pass("slow"), own.takeOver(seen, presence))
              : own.takeOver(seen, presence)
        })
      })
      yield* declare("one", "dead")
      yield* model.play(ScriptedModel.text("done"), ScriptedModel.text("done"))
      const recovering = yield* Effect.fork(gateway.recover())
      yield* gate.reached("slow")
      expect((yield* gateway.await(fast)).stopReason).toBe("completed")
      yield* gate.open("slow")
      expect(yield* Fiber.join(recovering)).toEqual([slow.sessionId, fast.sessionId])
      expect((yield* gateway.await(slow)).stopReason).toBe("completed")
    })
  )

  it.scoped("of one owner takes nobody else's runs", () =>
    Effect.gen(function* () {
      const { later, model, runs } = yield* leftBehind(4)
      yield* model.play(...Array.from({ length: 4 }, () => ScriptedModel.hang))
      const { owner } = yield* later.gateway.session(ids(runs)[1] ?? expect.unreachable())
      const mine = yield* Effect.provideService(
        Gateway.forOwner(owner ?? expect.unreachable()),
        Gateway.Gateway,
        later.gateway
      )
      expect(yield* mine.recover()).toEqual(ids(runs).filter((_, index) => index % 2 === 1))
    })
  )
})

describe("P9 a hold-up of storage", () => {
  it.scoped("P9 costs no healthy engine its runs: an engine that finds it silent asks it first", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      let isHeldUp = false
      const heldUp = <A, E>(write: Effect.Effect<A, E>) =>
        Effect.suspend(() => (isHeldUp ? gate.pass("lock") : Effect.void)).pipe(Effect.zipRight(write))
      const storage: Options["storage"] = (own) => ({
        ...own,
        renew: (presence) => heldUp(own.renew(presence)),
        takeOver: (...takeover) => heldUp(own.takeOver(...takeover))
      })
      const world = yield* running({}, { storage })
      const other = yield* world.open("other", { storage })
      yield* TestClock.adjust("5 seconds")
      isHeldUp = true
      const waiting = yield* Effect.fork(other.gateway.await(world.run))
      yield* TestClock.adjust("30 seconds")
      yield* Quiescence.idle
      isHeldUp = false
      yield* gate.open("lock")
      yield* Quiescence.idle
      yield* TestClock.adjust("30 seconds")
      expect(yield* other.gateway.run(world.run.runId)).toMatchObject({ state: "running" })
      yield* world.model.play(ScriptedModel.text("done"))
      yield* world.gate.open("x")
      expect((yield* Fiber.join(waiting)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 a lease lasts as long as its own engine says", () =>
    Effect.gen(function* () {
      const { open, run } = yield* running({ leaseMillis: 60_000 })
      const hasty = yield* open("hasty", { config: { leaseMillis: 1_000 } })
      const waiting = yield* Effect.fork(hasty.gateway.await(run))
      yield* TestClock.adjust("5 minutes")
      expect(waiting.unsafePoll()).toBeNull()
      expect((yield* hasty.gateway.run(run.runId)).state).toBe("running")
    })
  )
})
