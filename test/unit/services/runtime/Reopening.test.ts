import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, TestClock } from "effect"
import { Permissions, type Run, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { ground } from "./engines.js"
import { type Opened } from "./fixture.js"
import { asked, interrupted, neverStarted, two, waiting } from "./leaving.js"

describe("P4 P5 P9 a dead engine's run", () => {
  it.scoped("P6 is shown as crashed, and reading repairs nothing", () =>
    Effect.gen(function* () {
      const { declare, open, run } = yield* two
      const later = yield* open("later")
      const before = yield* later.told(run.sessionId)
      const alive = yield* later.gateway.snapshot(run.sessionId)
      expect(alive.run?.crashed).toBe(false)
      yield* declare("one", "dead")
      const snapshot = yield* later.gateway.snapshot(run.sessionId)
      expect(snapshot.run).toMatchObject({ crashed: true, run: { state: "running" } })
      expect(snapshot.live).toBeNull()
      yield* Quiescence.idle
      expect(yield* later.told(run.sessionId)).toEqual(before)
    })
  )

  it.scoped("P5 ends with the next message: results are kept, nothing starts again, and the model learns of it", () =>
    Effect.gen(function* () {
      const { declare, gate, model, one, open, run } = yield* two
      yield* declare("one", "dead")
      const later = yield* open("later")
      const next = yield* later.send(run.sessionId, "again")
      expect((yield* later.gateway.await(next)).stopReason).toBe("completed")
      expect(yield* later.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "crashed" })
      const lines = [
        "user: go",
        "assistant: (wait)(wait)(wait)",
        `wait interrupted: ${interrupted}`,
        `wait never-started: ${neverStarted}`,
        "wait success: a",
        "user: again",
        "assistant: done"
      ]
      expect(yield* later.lines(run.sessionId)).toEqual(lines)
      expect(Transcript.isSendable(yield* later.transcript(run.sessionId))).toBe(true)
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])

      // The engine was not as dead as was assumed, but it no longer writes.
      yield* gate.open("b1")
      yield* gate.open("b2")
      yield* Quiescence.idle
      expect(yield* one.lines(run.sessionId)).toEqual(lines)
      expect(yield* model.requests).toHaveLength(2)
    })
  )

  const changes = [
    ["resume", (engine: Opened, { sessionId }: Run.Ref) => engine.gateway.resume(sessionId)],
    ["append", (engine: Opened, { sessionId }: Run.Ref) => engine.gateway.append(sessionId, [])],
    ["cancel", (engine: Opened, { runId }: Run.Ref) => engine.gateway.cancel(runId)]
  ] as const
  for (const [name, change] of changes) {
    it.scoped(`P9 is ended by ${name} too`, () =>
      Effect.gen(function* () {
        const { declare, open, run } = yield* two
        yield* declare("one", "dead")
        const later = yield* open("later")
        yield* change(later, run)
        expect((yield* later.gateway.run(run.runId)).stopReason).toBe("crashed")
      })
    )
  }

  it.scoped("P9 has its queued runs started before a newly sent one", () =>
    Effect.gen(function* () {
      const { declare, model, one, open, run } = yield* two
      const queue = { whenBusy: "queue" } as const
      const second = yield* one.send(run.sessionId, "two", queue)
      yield* declare("one", "dead")
      yield* model.play(ScriptedModel.text("third"))
      const later = yield* open("later")
      const third = yield* later.send(run.sessionId, "three", queue)
      yield* later.gateway.await(third)
      expect((yield* later.gateway.run(second.runId)).stopReason).toBe("completed")
      expect((yield* later.lines(run.sessionId)).slice(5)).toEqual([
        "user: two",
        "assistant: done",
        "user: three",
        "assistant: third"
      ])
    })
  )

  it.scoped("P9 has its queued runs started by the engine that queued them, even if nobody waits or sends", () =>
    Effect.gen(function* () {
      const { declare, model, open, run } = yield* two
      const other = yield* open("other")
      yield* model.play(ScriptedModel.text("third"))
      const queue = { whenBusy: "queue" } as const
      const second = yield* other.send(run.sessionId, "two", queue)
      const third = yield* other.send(run.sessionId, "three", queue)
      yield* TestClock.adjust("1 minute")
      expect((yield* other.gateway.run(second.runId)).state).toBe("queued")
      yield* declare("one", "dead")
      yield* TestClock.adjust("15 seconds")
      yield* Quiescence.idle
      for (const { runId } of [second, third]) {
        expect(yield* other.gateway.run(runId)).toMatchObject({ state: "ended", stopReason: "completed" })
      }
      expect((yield* other.lines(run.sessionId)).slice(5)).toEqual([
        "user: two",
        "assistant: done",
        "user: three",
        "assistant: third"
      ])
    })
  )

  it.scoped("P9 is resumed with the message that waited behind it: that run is returned", () =>
    Effect.gen(function* () {
      const { declare, model, open, run } = yield* two
      const other = yield* open("other")
      const second = yield* other.send(run.sessionId, "two", { whenBusy: "queue" })
      const third = yield* other.send(run.sessionId, "three", { whenBusy: "queue" })
      yield* other.close
      yield* declare("one", "dead")
      const later = yield* open("later")
      yield* model.play(ScriptedModel.text("third"))
      const resumed = yield* later.gateway.resume(run.sessionId)
      expect(resumed.runId).toBe(second.runId)
      expect((yield* later.gateway.await(resumed)).stopReason).toBe("completed")
      expect((yield* later.gateway.await(third)).stopReason).toBe("completed")
      expect((yield* later.gateway.run(run.runId)).stopReason).toBe("crashed")
    })
  )

  it.scoped("P9 is left alone as long as its engine may live", () =>
    Effect.gen(function* () {
      const { declare, open, run } = yield* two
      const later = yield* open("later")
      const { runId, sessionId } = run
      const busy = new SkeinError.SessionBusy({ sessionId, runId })
      for (const liveness of ["alive", "unknown"] as const) {
        yield* declare("one", liveness)
        expect(yield* Effect.flip(later.send(sessionId, "me"))).toEqual(busy)
        expect(yield* Effect.flip(later.gateway.append(sessionId, []))).toEqual(busy)
      }
      yield* later.gateway.patch({ sessionId, title: "renamed all the same" })
      expect((yield* later.gateway.run(runId)).state).toBe("running")
    })
  )

  it.scoped("P7 P9 a run that is just being started is not taken over by a caller that waits for it", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open, reader } = yield* ground
      const one = yield* open("one", {
        storage: (own) => ({
          ...own,
          admit: (admission) => Effect.zipLeft(own.admit(admission), gate.pass("admitted"))
        })
      })
      yield* model.play(ScriptedModel.text("done"))
      const { id } = yield* one.session()
      const sending = yield* Effect.fork(one.send(id, "go"))
      yield* Effect.addFinalizer(() => gate.open("admitted"))
      yield* gate.reached("admitted")
      const { holder } = yield* reader.activity(id)
      const { lease, run } = Option.getOrThrow(holder)
      const waiting = yield* Effect.fork(
        one.gateway.await({ ...lease, cursor: (yield* one.gateway.session(id)).cursor })
      )
      yield* TestClock.adjust("3 seconds")
      expect((yield* one.gateway.run(run.id)).state).toBe("running")
      yield* gate.open("admitted")
      yield* sending
      expect((yield* waiting).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 two engines that claim it at once start one run", () =>
    Effect.gen(function* () {
      const { declare, open, run } = yield* two
      yield* declare("one", "dead")
      const [here, there] = [yield* open("here"), yield* open("there")]
      const sends = yield* Effect.all(
        [Effect.either(here.send(run.sessionId, "here")), Effect.either(there.send(run.sessionId, "there"))],
        { concurrency: "unbounded" }
      )
      expect(sends.map(({ _tag }) => _tag).sort()).toEqual(["Left", "Right"])
      yield* Quiescence.idle
      expect((yield* here.lines(run.sessionId)).filter((line) => line.startsWith("user"))).toHaveLength(2)
    })
  )
})

describe("P4 P5 a question outlives its engine", () => {
  const options = (gate: Gate.Gate) => ({
    tools: [waiting(gate), asked],
    policy: Permissions.askToWrite
  })

  /** An engine that is declared dead while a human is asked about some calls and others are done, run or wait. */
  const questioned = Effect.fnUntraced(function* (...calls: ReadonlyArray<string>) {
    const gate = yield* Gate.make
    let isDead = false
    const { declare, model, open } = yield* ground
    const one = yield* open("one", {
      ...options(gate),
      storage: (own) => ({
        ...own,
        startCall: (...call) =>
          Effect.suspend(() => (isDead ? gate.pass("dead") : Effect.void)).pipe(Effect.zipRight(own.startCall(...call)))
      })
    })
    yield* Effect.addFinalizer(() => gate.open("dead"))
    yield* model.play(
      ScriptedModel.calls(
        ...calls.map((name) => (name === "ask" ? { name, input: {} } : { name: "wait", input: { name } }))
      ),
      ScriptedModel.text("thanks")
    )
    yield* gate.open("a")
    const run = yield* one.begin("go")
    yield* one.seen(run, "permission.asked")
    yield* Quiescence.idle
    isDead = true
    yield* declare("one", "dead")
    const later = yield* open("later", options(gate))
    return {
      declare,
      gate,
      later,
      model,
      open,
      questions: yield* later.gateway.questions({ sessionId: run.sessionId }),
      run
    }
  })

  it.scoped("P5 its answer starts the call; calls that had started are not started again", () =>
    Effect.gen(function* () {
      const { gate, later, model, questions, run } = yield* questioned("a", "ask", "c1", "c2")
      expect(questions).toMatchObject([{ tool: "ask", runId: run.runId, answer: null }])
      for (const { id } of questions) yield* later.gateway.answer({ questionId: id, verdict: "allow-once" })
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect(yield* later.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (wait)(ask)(wait)(wait)",
        "wait success: a",
        "ask success: allowed",
        `wait interrupted: ${interrupted}`,
        `wait never-started: ${neverStarted}`,
        "assistant: thanks"
      ])
      const told = yield* later.told(run.sessionId, run.cursor)
      expect(told.filter((line) => line.startsWith("call.started"))).toEqual([
        "call.started wait",
        "call.started wait",
        "call.started ask"
      ])
      expect(told.filter((line) => line.startsWith("run."))).toEqual(["run.started", "run.ended completed"])
      const view = (yield* model.requests)[1]?.view ?? []
      expect(complaints(view)).toEqual([])
      expect(view.map(({ role }) => role)).toEqual(["user", "assistant", "tool"])
      expect(JSON.stringify(view)).toContain("allowed")
      yield* gate.open("c1")
      yield* Quiescence.idle
      expect((yield* later.lines(run.sessionId)).at(-1)).toBe("assistant: thanks")
    })
  )

  /** The same for a call that reads, with a policy of its own for the engine that answers the question. */
  const reread = Effect.fnUntraced(function* (policy: Permissions.Policy) {
    const look = Tool.make("look", { description: "looks", access: "read", input: {} }).handle(() =>
      Effect.succeed("seen")
    )
    const { declare, model, open } = yield* ground
    const one = yield* open("one", { tools: [look], policy: () => Effect.succeed(Permissions.ask) })
    yield* model.play(ScriptedModel.calls({ name: "look", input: {} }), ScriptedModel.text("thanks"))
    const run = yield* one.begin("go")
    const { questionId } = yield* one.seen(run, "permission.asked")
    yield* declare("one", "dead")
    const later = yield* open("later", { tools: [look], policy })
    yield* later.gateway.answer({ questionId, verdict: "allow-once" })
    return { later, run }
  })

  it.scoped("P5 nobody waits for a policy that never says what the call must leave out", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const { later, run } = yield* reread(() =>
        Effect.uninterruptible(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
      )
      yield* Deferred.await(begun)
      yield* later.gateway.cancel(run.runId)
      expect((yield* later.gateway.await(run)).stopReason).toBe("cancelled")
      expect((yield* later.lines(run.sessionId)).at(-1)).toBe(`look never-started: ${neverStarted}`)
    })
  )

  it.scoped("P5 a policy that denies the call by now is told to the model, and the call does not run", () =>
    Effect.gen(function* () {
      const { later, run } = yield* reread(() => Effect.succeed(Permissions.deny("not any more")))
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect(yield* later.lines(run.sessionId)).toContain("look denied: Denied: not any more")
    })
  )

  it.scoped("P4 results beyond the question keep their places, and later questions wait for their own answers", () =>
    Effect.gen(function* () {
      const { later, questions, run } = yield* questioned("ask", "a", "ask")
      expect(questions).toHaveLength(2)
      yield* later.gateway.answer({ questionId: questions[0]?.id ?? expect.unreachable(), verdict: "deny" })
      yield* later.seen(run, "call.finished", 2)
      yield* Quiescence.idle
      expect((yield* later.gateway.snapshot(run.sessionId)).batch.calls).toMatchObject([{ index: 2, state: "pending" }])
      yield* later.gateway.answer({ questionId: questions[1]?.id ?? expect.unreachable(), verdict: "allow-once" })
      yield* later.gateway.await(run)
      expect((yield* later.lines(run.sessionId)).slice(2)).toEqual([
        "ask denied: Denied: no reason was given",
        "wait success: a",
        "ask success: allowed",
        "assistant: thanks"
      ])
    })
  )

  it.scoped("P4 answered just before the engine died, the call is started when the session is claimed", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { declare, model, open, storage } = yield* ground
      const one = yield* open("one", {
        ...options(gate),
        storage: (own) => ({
          ...own,
          startCall: (...call) => Effect.zipRight(gate.pass("dead"), own.startCall(...call))
        })
      })
      yield* model.play(ScriptedModel.calls({ name: "ask", input: {} }), ScriptedModel.text("thanks"))
      const run = yield* one.begin("go")
      const { questionId } = yield* one.seen(run, "permission.asked")
      yield* storage.answer(questionId, { verdict: "allow-once", message: null, by: null })
      yield* gate.reached("dead")
      yield* declare("one", "dead")
      const later = yield* open("later", options(gate))
      const busy = yield* Effect.flip(later.send(run.sessionId, "and?"))
      expect(busy._tag).toBe("SessionBusy")
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      yield* gate.open("dead")
      yield* Quiescence.idle
      expect(yield* later.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (ask)",
        "ask success: allowed",
        "assistant: thanks"
      ])
    })
  )

  it.scoped("P4 its answer starts the call even if the client that answers is gone by then", () =>
    Effect.gen(function* () {
      const { declare, gate, open, questions, run } = yield* questioned("ask")
      yield* declare("later", "dead")
      const last = yield* open("last", {
        ...options(gate),
        storage: (own) => ({
          ...own,
          answer: (...answer) => Effect.zipLeft(own.answer(...answer), gate.pass("answered"))
        })
      })
      const answer = last.gateway.answer({
        questionId: questions[0]?.id ?? expect.unreachable(),
        verdict: "allow-once"
      })
      const client = yield* Effect.fork(answer)
      yield* gate.reached("answered")
      yield* Fiber.interruptFork(client)
      yield* Quiescence.idle
      yield* gate.open("answered")
      yield* last.seen(run, "run.ended")
      expect((yield* last.lines(run.sessionId))[2]).toBe("ask success: allowed")
    })
  )

  it.scoped("P4 survives a second death", () =>
    Effect.gen(function* () {
      const { declare, gate, later, open, questions, run } = yield* questioned("ask", "ask")
      yield* later.gateway.answer({ questionId: questions[0]?.id ?? expect.unreachable(), verdict: "allow-once" })
      yield* later.seen(run, "call.finished")
      yield* declare("later", "dead")
      const last = yield* open("last", options(gate))
      yield* last.gateway.answer({ questionId: questions[1]?.id ?? expect.unreachable(), verdict: "allow-once" })
      expect((yield* last.gateway.await(run)).stopReason).toBe("completed")
      expect((yield* last.lines(run.sessionId)).slice(2)).toEqual([
        "ask success: allowed",
        "ask success: allowed",
        "assistant: thanks"
      ])
    })
  )

  it.scoped("P9 it is closed as denied when its run is cancelled", () =>
    Effect.gen(function* () {
      const { later, questions, run } = yield* questioned("ask")
      yield* later.gateway.cancel(run.runId)
      expect((yield* later.gateway.run(run.runId)).stopReason).toBe("cancelled")
      expect((yield* later.lines(run.sessionId))[2]).toBe(`ask never-started: ${neverStarted}`)
      const { answer } = yield* later.gateway.question(questions[0]?.id ?? expect.unreachable())
      expect(answer?.verdict).toBe("deny")
    })
  )

  it.scoped("P7 it is removed with its session", () =>
    Effect.gen(function* () {
      const { later, questions, run } = yield* questioned("ask", "c1")
      yield* later.gateway.delete(run.sessionId)
      expect(yield* later.gateway.questions()).toEqual([])
      const late = later.gateway.answer({ questionId: questions[0]?.id ?? expect.unreachable(), verdict: "allow-once" })
      expect((yield* Effect.flip(late))._tag).toBe("QuestionNotFound")
    })
  )

  it.scoped("P5 an engine that closes leaves it open, and its answer starts the call in the next engine", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const one = yield* open("one", options(gate))
      yield* model.play(ScriptedModel.calls({ name: "ask", input: {} }), ScriptedModel.text("thanks"))
      const run = yield* one.begin("go")
      const { questionId } = yield* one.seen(run, "permission.asked")
      yield* one.close
      const later = yield* open("later", options(gate))
      yield* later.gateway.answer({ questionId, verdict: "allow-once" })
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect((yield* later.lines(run.sessionId))[2]).toBe("ask success: allowed")
    })
  )
})
