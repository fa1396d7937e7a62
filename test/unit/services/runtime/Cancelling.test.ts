import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Schema, Stream } from "effect"
import { Model, Permissions, SkeinError, Tool, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { RunId } from "../../../../src/domain/Run.js"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { considering, ground } from "./engines.js"
import { open, type Opened } from "./fixture.js"

const interrupted =
  "Interrupted: this call had started and did not finish. Its effects are unknown: check them before you repeat it."
const neverStarted = "Never started: this call was not run and had no effect."

const waiting = (gate: Gate.Gate) =>
  Tool.make("wait", { description: "waits", input: { name: Schema.String } }).handle(
    ({ name }) => Effect.as(gate.pass(name), name),
    { key: ({ name }) => name.slice(0, 1) }
  )

/** Asks for three calls with the same key, then answers. */
const threeCalls: Model.Model = {
  provider: "test",
  model: "three",
  contextTokens: null,
  step: ({ view }) => {
    const call = (index: number) => ({ type: "call", index, name: "quick", input: "{}", providerCallId: "c" }) as const
    const text = { type: "text", id: "t", delta: "hm" } as const
    const finish = { type: "finish", reason: "stop", usage: Usage.unknown } as const
    return Stream.make(text, ...(view.at(-1)?.role === "tool" ? [] : [call(0), call(1), call(2)]), finish)
  }
}

/** The next message after a cancel; its request must be one that a provider takes. */
const goOn = Effect.fnUntraced(function* (
  { gateway, send }: Opened,
  model: ScriptedModel.Service,
  sessionId: Parameters<Opened["send"]>[0]
) {
  yield* model.play(ScriptedModel.text("I see"))
  expect((yield* gateway.await(yield* send(sessionId, "what happened?"))).stopReason).toBe("completed")
  const view = (yield* model.requests).at(-1)?.view ?? []
  expect(complaints(view)).toEqual([])
  return JSON.stringify(view)
})

describe("P4 cancel while the model writes", () => {
  it.scoped("P4 keeps the text, marked as partial, and none of the calls", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const { begin, gateway, lines, model, seen, told, transcript } = engine
      yield* model.play({
        reasoning: "I think",
        text: "half an answer",
        calls: [{ name: "ls", input: {} }],
        hang: true
      })
      const run = yield* begin("go")
      yield* seen(run, "call.arguments")
      yield* gateway.cancel(run.runId)
      expect(yield* gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "cancelled", detail: null })
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: I thinkhalf an answer …"])
      expect((yield* transcript(run.sessionId))[1]?.message).toMatchObject({
        finish: "error",
        partial: true,
        model: { provider: "script", model: "queue" }
      })
      expect((yield* told(run.sessionId)).slice(-2)).toEqual(["message.appended assistant", "run.ended cancelled"])
      const view = yield* goOn(engine, model, run.sessionId)
      expect(view).toContain("half an answer")
      expect(view).toContain("cut off")
    })
  )

  it.scoped("P4 keeps nothing when nothing was written", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const { begin, gateway, lines, model } = engine
      yield* model.play(ScriptedModel.hang)
      const run = yield* begin("go")
      yield* Quiescence.idle
      yield* gateway.cancel(run.runId)
      expect(yield* lines(run.sessionId)).toEqual(["user: go"])
      yield* goOn(engine, model, run.sessionId)
    })
  )

  it.scoped("P4 does not keep the text of a step twice that is already stored", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const quick = Tool.make("quick", { description: "quick", input: {} }).handle(() => Effect.succeed("ran"))
      let steps = 0
      const { open } = yield* ground
      const { begin, gateway, lines } = yield* open("a", {
        tools: [quick],
        models: Model.resolve(() => Effect.as(steps++ === 0 ? Effect.void : gate.pass("second step"), threeCalls))
      })
      const run = yield* begin("go")
      yield* gate.reached("second step")
      yield* gateway.cancel(run.runId)
      expect(yield* lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: hm(quick)(quick)(quick)",
        "quick success: ran",
        "quick success: ran",
        "quick success: ran"
      ])
    })
  )
})

describe("P4 cancel during a batch", () => {
  it.scoped("P4 keeps finished results, closes started calls as interrupted and others as never started", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = waiting(gate)
      const engine = yield* open({ tools: [tool] })
      const { begin, gateway, lines, model, seen, told } = engine
      const call = (name: string) => ScriptedModel.call(tool, { name })
      yield* model.play(ScriptedModel.calls(call("a1"), call("a2"), call("b1")))
      const run = yield* begin("go")
      yield* gate.open("b1")
      yield* seen(run, "call.finished")
      yield* gateway.cancel(run.runId)
      expect((yield* lines(run.sessionId)).slice(2)).toEqual([
        `wait interrupted: ${interrupted}`,
        `wait never-started: ${neverStarted}`,
        "wait success: b1"
      ])
      expect((yield* told(run.sessionId)).slice(-7)).toEqual([
        "call.finished wait success",
        "call.finished wait interrupted",
        "message.appended tool",
        "call.finished wait never-started",
        "message.appended tool",
        "message.appended tool",
        "run.ended cancelled"
      ])
      const view = yield* goOn(engine, model, run.sessionId)
      expect(view).toContain(interrupted)
      expect(view).toContain(neverStarted)
    })
  )

  it.scoped("P4 interrupts the tools, and their keys are free for the next run", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = waiting(gate)
      const engine = yield* open({ tools: [tool] })
      const { begin, gateway, lines, model, send } = engine
      const call = (name: string) => ScriptedModel.call(tool, { name })
      yield* model.play(ScriptedModel.calls(call("a1"), call("a2")))
      const run = yield* begin("go")
      yield* gate.reached("a1")
      yield* gateway.cancel(run.runId)
      yield* gate.open("a3")
      yield* model.play(ScriptedModel.calls(call("a3")), ScriptedModel.text("done"))
      yield* gateway.await(yield* send(run.sessionId, "again"))
      expect((yield* lines(run.sessionId)).slice(-2)).toEqual(["wait success: a3", "assistant: done"])
    })
  )

  it.scoped("P4 a result that is just being stored is kept, not overwritten", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = Tool.make("quick", { description: "quick", input: {} }).handle(() => Effect.succeed("ran"))
      const { model, open } = yield* ground
      const { begin, gateway, lines } = yield* open("a", {
        tools: [tool],
        storage: (storage) => ({
          ...storage,
          storeResult: (...call) => Effect.zipRight(gate.pass("store"), storage.storeResult(...call))
        })
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
      const run = yield* begin("go")
      yield* gate.reached("store")
      const cancelling = yield* Effect.fork(gateway.cancel(run.runId))
      yield* Quiescence.idle
      expect((yield* gateway.run(run.runId)).state).toBe("running")
      yield* gate.open("store")
      yield* cancelling
      expect((yield* gateway.run(run.runId)).stopReason).toBe("cancelled")
      expect((yield* lines(run.sessionId)).slice(2)).toEqual(["quick success: ran"])
    })
  )

  // The first call of a key starts together with its step, unless the policy takes its time.
  for (const { point, policy, state } of [
    { point: "appendStep", policy: Permissions.allowAll, state: "started" },
    { point: "appendStep", policy: considering, state: "pending" },
    { point: "startCall", policy: considering, state: "started" }
  ] as const) {
    it.scoped(`P4 right after ${point}, closes a ${state} call accordingly, and the keys are free again`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const tool = waiting(gate)
        const { model, open } = yield* ground
        const engine = yield* open("a", {
          tools: [tool],
          policy,
          storage: (storage) => ({
            ...storage,
            appendStep: (...step) => Effect.zipLeft(storage.appendStep(...step), gate.pass("appendStep")),
            startCall: (...call) => Effect.zipLeft(storage.startCall(...call), gate.pass("startCall"))
          })
        })
        const { begin, gateway, lines, send } = engine
        const call = (name: string) => ScriptedModel.call(tool, { name })
        yield* gate.open(point === "appendStep" ? "startCall" : "appendStep")
        yield* model.play(ScriptedModel.calls(call("a1"), call("a2"), call("a3")))
        const run = yield* begin("go")
        yield* gate.reached(point)
        const cancelling = yield* Effect.fork(gateway.cancel(run.runId))
        yield* Quiescence.idle
        yield* gate.open(point)
        yield* cancelling
        const outcome = state === "pending" ? `never-started: ${neverStarted}` : `interrupted: ${interrupted}`
        expect((yield* lines(run.sessionId)).slice(2)).toEqual([
          `wait ${outcome}`,
          `wait never-started: ${neverStarted}`,
          `wait never-started: ${neverStarted}`
        ])
        yield* gate.open("a4")
        yield* model.play(ScriptedModel.calls(call("a4")), ScriptedModel.text("done"))
        yield* gateway.await(yield* send(run.sessionId, "again"))
        expect((yield* lines(run.sessionId)).slice(-2)).toEqual(["wait success: a4", "assistant: done"])
      })
    )
  }

  // Fibers that yield after fewer operations have more moments in between.
  for (const { ops, moments, step } of [
    { ops: 2_048, moments: 70, step: 1 },
    { ops: 16, moments: 450, step: 7 }
  ]) {
    it.scoped(`P4 returns at any moment, and leaves nothing open or held (${ops})`, () =>
      Effect.gen(function* () {
        const tool = Tool.make("quick", { description: "quick", input: {} }).handle(
          () => Effect.as(Effect.yieldNow(), "ran"),
          { key: () => "same" }
        )
        const { open } = yield* ground
        const engine = open("a", { tools: [tool], models: Model.always(threeCalls) })
        const { gateway, send, session, transcript } = yield* Effect.withMaxOpsBeforeYield(engine, ops)
        let { id } = yield* session()
        for (let moment = 0; moment < moments; moment += step) {
          if (moment % 10 === 0) id = (yield* session()).id
          const run = yield* send(id, "go")
          yield* Effect.repeatN(Effect.yieldNow(), moment)
          yield* gateway.cancel(run.runId)
          expect((yield* gateway.run(run.runId)).state).toBe("ended")
          expect((yield* gateway.snapshot(id)).batch).toEqual({ calls: [], stored: [] })
          if (moment % 10 !== 9) continue
          expect((yield* gateway.await(yield* send(id, "to the end"))).stopReason).toBe("completed")
          expect(Transcript.isSendable(yield* transcript(id))).toBe(true)
        }
      })
    )
  }
})

describe("cancel", () => {
  it.scoped("twice, one after the other or at once, is the same as once", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen, told } = yield* open()
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      const cancel = gateway.cancel(run.runId)
      yield* Effect.all([cancel, cancel], { concurrency: "unbounded" })
      yield* cancel
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("run.ended"))).toEqual([
        "run.ended cancelled"
      ])
    })
  )

  it.scoped("of a run that has ended does nothing", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open()
      yield* model.play(ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gateway.await(run)
      const before = yield* gateway.snapshot(run.sessionId)
      yield* gateway.cancel(run.runId)
      expect(yield* gateway.snapshot(run.sessionId)).toEqual(before)
    })
  )

  it.scoped("of an unknown run is refused", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      const runId = RunId.make("run_unknown")
      expect(yield* Effect.flip(gateway.cancel(runId))).toEqual(new SkeinError.RunNotFound({ runId }))
      expect(yield* Effect.flip(gateway.run(runId))).toEqual(new SkeinError.RunNotFound({ runId }))
    })
  )

  it.scoped("returns when the end is stored, not before", () =>
    Effect.gen(function* () {
      const ending = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const { model, open } = yield* ground
      const { begin, gateway, seen } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          endRun: (...end) =>
            Deferred.succeed(ending, undefined).pipe(
              Effect.zipRight(Deferred.await(goOn)),
              Effect.zipRight(storage.endRun(...end))
            )
        })
      })
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      const cancelling = yield* Effect.fork(gateway.cancel(run.runId))
      yield* Deferred.await(ending)
      yield* Quiescence.idle
      expect(cancelling.unsafePoll()).toBeNull()
      yield* Deferred.succeed(goOn, undefined)
      yield* cancelling
      expect((yield* gateway.run(run.runId)).state).toBe("ended")
    })
  )

  it.scoped("between two steps ends the run there", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = waiting(gate)
      const { model, open } = yield* ground
      const engine = yield* open("a", {
        tools: [tool],
        storage: (storage) => ({
          ...storage,
          storeResult: (...call) => Effect.zipLeft(storage.storeResult(...call), gate.pass("stored"))
        })
      })
      const { begin, gateway, lines } = engine
      yield* gate.open("a")
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, { name: "a" })), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gate.reached("stored")
      const cancelling = yield* Effect.fork(gateway.cancel(run.runId))
      yield* Quiescence.idle
      yield* gate.open("stored")
      yield* cancelling
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: (wait)", "wait success: a"])
      expect(yield* model.requests).toHaveLength(1)
    })
  )
})
