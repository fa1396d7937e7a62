import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import { Model, Permissions, Run, SessionEvent, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import type { HeldRun } from "../../../../src/services/storage/Storage.js"
import { ground, type Options, stopped } from "./engines.js"

const holding = (gate: Gate.Gate) =>
  Tool.make("hold", { description: "holds", input: {} }).handle(() => Effect.as(gate.pass("hold"), "held"))
const asked = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("allowed"))

/** A run that waits in a tool of engine `one`, and another engine. */
const running = (one: Options = {}, other: Options = {}) =>
  Effect.gen(function* () {
    const gate = yield* Gate.make
    const world = yield* ground
    const tool = holding(gate)
    const tools = [tool]
    const first = yield* world.open("one", { tools, ...one })
    const second = yield* world.open("other", { tools, ...other })
    yield* world.model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
    const run = yield* first.begin("go")
    yield* gate.reached("hold")
    return { ...world, gate, one: first, other: second, run }
  })

const minutes = TestClock.adjust("5 minutes")

describe("P9 what another engine asks of a run", () => {
  it.scoped("P3 P9 a cancel reaches the engine that has the run, and returns when its end is stored", () =>
    Effect.gen(function* () {
      const { one, other, run } = yield* running()
      yield* other.gateway.cancel(run.runId)
      expect(yield* other.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "cancelled" })
      expect((yield* one.gateway.await(run)).stopReason).toBe("cancelled")
      expect((yield* other.lines(run.sessionId)).at(-1)).toMatch(/^hold interrupted/)
    })
  )

  it.scoped("P9 a cancel has the engine look at each of its runs a fixed number of times, however many they are", () =>
    Effect.gen(function* () {
      let looks = 0
      const counted = (run: HeldRun): HeldRun => ({
        stopRequest: run.stopRequest,
        cancelledBy: run.cancelledBy,
        get lease() {
          looks++
          return run.lease
        }
      })
      const { model, open } = yield* ground
      const one = yield* open("one", {
        reader: (own) => ({
          ...own,
          heldRuns: (instance) => Effect.map(own.heldRuns(instance), (runs) => runs.map(counted))
        })
      })
      const other = yield* open("other")
      const runs = yield* Effect.forEach(Array.from({ length: 60 }), () =>
        Effect.zipRight(model.play(ScriptedModel.hang), one.begin("go"))
      )
      yield* Quiescence.idle
      looks = 0
      yield* other.gateway.cancel(runs[30]?.runId ?? Run.Id.make("none"))
      expect(looks).toBeGreaterThan(0)
      expect(looks).toBeLessThanOrEqual(60 * 4)
    })
  )

  it.scoped("P9 a cancel of a run that has just ended does nothing", () =>
    Effect.gen(function* () {
      const { gate, one, other, run } = yield* running()
      yield* gate.open("hold")
      yield* one.gateway.await(run)
      yield* other.gateway.cancel(run.runId)
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 an answer given elsewhere reaches the call that waits for it", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const options = { tools: [asked], policy: Permissions.askToWrite }
      const one = yield* open("one", options)
      const other = yield* open("other", options)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asked, {})), ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      const { questionId } = yield* one.seen(run, "permission.asked")
      yield* other.gateway.answer({ questionId, verdict: "allow-once" })
      expect((yield* one.gateway.await(run)).stopReason).toBe("completed")
      expect(yield* one.lines(run.sessionId)).toContain("ask success: allowed")
    })
  )

  it.scoped("P7 P9 a model that is set elsewhere is used from the run's next step on", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { open } = yield* ground
      const tool = holding(gate)
      const steps: Array<string> = []
      const scripted = ScriptedModel.make([
        ScriptedModel.calls(ScriptedModel.call(tool, {})),
        ScriptedModel.text("done")
      ])
      const models = Model.resolve(({ model }) =>
        Effect.sync(() => {
          steps.push(model?.model ?? "none")
          return scripted
        })
      )
      const one = yield* open("one", { tools: [tool], models })
      const other = yield* open("other")
      const run = yield* one.begin("go")
      yield* gate.reached("hold")
      yield* other.gateway.patch({ sessionId: run.sessionId, model: { provider: "p", model: "new" } })
      yield* gate.open("hold")
      yield* one.gateway.await(run)
      expect(steps).toEqual(["none", "new"])
    })
  )

  it.scoped("P9 a run that was asked to end does not continue after its engine dies, even if a human was asked", () =>
    Effect.gen(function* () {
      const { declare, model, open, storage } = yield* ground
      const options = { tools: [asked], policy: Permissions.askToWrite }
      const one = yield* open("one", { ...options, ...stopped })
      const other = yield* open("other", options)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asked, {})))
      const run = yield* one.begin("go")
      yield* one.seen(run, "permission.asked")
      expect(yield* storage.requestCancel(run.runId)).toBe(true)
      yield* declare("one", "dead")
      yield* Effect.ignore(other.gateway.append(run.sessionId, []))
      expect((yield* other.gateway.run(run.runId)).state).toBe("ended")
    })
  )

  it.scoped("P9 another engine sees a running step's text within a second, and its end", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const one = yield* open("one")
      const other = yield* open("other")
      yield* model.play({ text: "half of it", hang: true })
      const run = yield* one.begin("go")
      yield* one.seen(run, "text.delta")
      const seen = yield* Effect.fork(other.seen(run, "text.delta"))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(seen)).toMatchObject({ offset: 0, text: "half of it", runId: run.runId })
      const { live } = yield* other.gateway.snapshot(run.sessionId)
      expect([live?.runId, live?.step?.seq]).toEqual([run.runId, 2])
      yield* other.gateway.cancel(run.runId)
      expect((yield* other.gateway.snapshot(run.sessionId)).live).toBeNull()
      const events = yield* other.gateway
        .events({ sessionId: run.sessionId, after: run.cursor })
        .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect)
      expect([...events].filter(SessionEvent.is("text.delta"))).toEqual([])
    })
  )
})

describe("P9 the time of a lease", () => {
  it.scoped("P9 an engine that gives signs of life keeps its run for as long as the run takes", () =>
    Effect.gen(function* () {
      const { gate, one, other, run } = yield* running()
      const busy = new SkeinError.SessionBusy({ sessionId: run.sessionId, runId: run.runId })
      yield* TestClock.adjust("9 minutes")
      expect(yield* Effect.flip(other.send(run.sessionId, "me"))).toEqual(busy)
      yield* gate.open("hold")
      expect((yield* one.gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 an engine without signs of life loses its run, and writes nothing more when it wakes up", () =>
    Effect.gen(function* () {
      const { gate, one, other, run } = yield* running(stopped)
      yield* TestClock.adjust("14 seconds")
      expect((yield* Effect.flip(other.send(run.sessionId, "me")))._tag).toBe("SessionBusy")
      yield* TestClock.adjust("1 seconds")
      const sending = yield* Effect.fork(other.send(run.sessionId, "me"))
      yield* Quiescence.idle
      yield* TestClock.adjust("4 seconds")
      expect(sending.unsafePoll()).toBeNull()
      yield* TestClock.adjust("8 seconds")
      const next = yield* Fiber.join(sending)
      expect((yield* other.gateway.await(next)).stopReason).toBe("completed")
      const lines = yield* other.lines(run.sessionId)
      yield* gate.open("hold")
      yield* Quiescence.idle
      expect((yield* one.gateway.await(run)).stopReason).toBe("lease-lost")
      expect(yield* one.lines(run.sessionId)).toEqual(lines)
    })
  )

  it.scoped("P9 an engine that learns that its lease is lost lets the run go at once", () =>
    Effect.gen(function* () {
      const { declare, gate, one, other, run } = yield* running()
      yield* declare("one", "dead")
      yield* other.send(run.sessionId, "me")
      yield* Quiescence.idle
      const ended = yield* Effect.fork(one.gateway.await(run))
      yield* Quiescence.idle
      expect(ended.unsafePoll()).not.toBeNull()
      // Its tool was interrupted, and nothing waits for it.
      yield* gate.open("hold")
      yield* Quiescence.idle
      expect((yield* one.lines(run.sessionId)).filter((line) => line.startsWith("hold"))).toEqual([
        expect.stringMatching(/^hold interrupted/)
      ])
    })
  )

  it.scoped(
    "P9 an engine on another clock loses its session only after others have seen it silent for long enough",
    () =>
      Effect.gen(function* () {
        const { other, run } = yield* running({ ...stopped, clock: "one's own" })
        yield* minutes
        const sending = yield* Effect.fork(other.send(run.sessionId, "me"))
        yield* Quiescence.idle
        yield* TestClock.adjust("19 seconds")
        expect(sending.unsafePoll()).toBeNull()
        yield* TestClock.adjust("12 seconds")
        const next = yield* Fiber.join(sending)
        expect((yield* other.gateway.await(next)).stopReason).toBe("completed")
        expect((yield* other.gateway.run(run.runId)).stopReason).toBe("lease-lost")
      })
  )

  it.scoped("P9 one sign of life from an engine on another clock is enough to know that it is busy", () =>
    Effect.gen(function* () {
      const { other, run } = yield* running({ clock: "one's own" })
      const sending = yield* Effect.fork(Effect.flip(other.send(run.sessionId, "me")))
      yield* Quiescence.idle
      yield* TestClock.adjust("12 seconds")
      expect((yield* Fiber.join(sending))._tag).toBe("SessionBusy")
    })
  )
})
