import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream, TestClock } from "effect"
import { Gateway, Permissions, Run, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { newSession, s1 } from "../../../../src/adapters/testing/storage/fixture.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { ground, stopped } from "./engines.js"

import { asked, interrupted, two, waiting } from "./leaving.js"

describe("P4 P5 an engine that closes during a run", () => {
  it.scoped("P5 does not ask the model about a queued message whose turn comes as it begins to close", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const one = yield* open("one", {
        config: { drainMillis: 60_000 },
        storage: (own) => ({
          ...own,
          startNext: (...given) => Effect.zipLeft(own.startNext(...given), gate.pass("started"))
        })
      })
      yield* model.play(ScriptedModel.hang, ScriptedModel.hang)
      // The engine waits for this run while it closes.
      yield* one.begin("another")
      const first = yield* one.begin("go")
      yield* Quiescence.idle
      const second = yield* one.send(first.sessionId, "on", { whenBusy: "queue" })
      yield* Effect.fork(one.gateway.cancel(first.runId))
      yield* gate.reached("started")
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* gate.open("started")
      yield* Quiescence.idle
      expect(yield* model.requests).toHaveLength(2)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(closing)

      yield* model.play(ScriptedModel.text("done"))
      const later = yield* open("later")
      yield* later.gateway.resume(first.sessionId)
      expect((yield* later.gateway.await(second)).stopReason).toBe("completed")
      expect(yield* model.requests).toHaveLength(3)
    })
  )

  it.scoped("P5 releases the run: started calls are interrupted, waiting calls stay, nothing is cancelled", () =>
    Effect.gen(function* () {
      const { one, open, run } = yield* two
      yield* one.close
      const { gateway, lines, told } = yield* open("later")
      const released = yield* gateway.run(run.runId)
      expect(released).toMatchObject({ state: "running", stopReason: null, releasedAt: expect.any(Number) })
      const { batch, run: shown } = yield* gateway.snapshot(run.sessionId)
      expect(shown).toMatchObject({ crashed: false, run: released })
      expect(batch.calls).toMatchObject([{ index: 1, state: "pending" }])
      expect((yield* lines(run.sessionId)).slice(2)).toEqual([`wait interrupted: ${interrupted}`])
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("run."))).toEqual([
        "run.started",
        "run.released"
      ])
    })
  )

  it.scoped("P5 leaves the run to the next engine, which continues it and runs the calls that had waited", () =>
    Effect.gen(function* () {
      const { gate, model, one, open, run } = yield* two
      yield* one.close
      const later = yield* open("later")
      yield* gate.open("b2")
      const waiting = yield* Effect.fork(later.gateway.await(run))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(waiting)).stopReason).toBe("completed")
      expect(yield* later.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (wait)(wait)(wait)",
        `wait interrupted: ${interrupted}`,
        "wait success: b2",
        "wait success: a",
        "assistant: done"
      ])
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])
    })
  )

  it.scoped("P10 has the step's text begin again in the next engine, and watchers are told so", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const one = yield* open("one")
      yield* model.play({ text: "half of it", hang: true }, ScriptedModel.text("whole"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "text.delta")
      const later = yield* open("later")
      const watched = yield* Effect.fork(
        later.gateway.events({ sessionId: run.sessionId, after: run.cursor }).pipe(
          Stream.takeUntil(SessionEvent.is("run.ended")),
          Stream.filterMap((event) =>
            event.type === "text.delta"
              ? Option.some(`${event.offset} ${event.text}`)
              : event.type === "run.released"
                ? Option.some(event.type)
                : Option.none()
          ),
          Stream.runCollect
        )
      )
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      yield* one.close
      yield* later.gateway.resume(run.sessionId)
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect([...(yield* watched)]).toEqual(["0 half of it", "run.released", "0 whole"])
      expect(yield* later.lines(run.sessionId)).toEqual(["user: go", "assistant: whole"])
    })
  )

  for (const when of ["a model answers", "a call ends"] as const) {
    it.scoped(`P5 does not wait for a run either that waits only for a human once ${when} while it closes`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const { model, open, reader } = yield* ground
        const one = yield* open("one", {
          tools: [waiting(gate), asked],
          policy: Permissions.askToWrite,
          config: { drainMillis: 60_000 }
        })
        const ask = { name: "ask", input: {} }
        yield* when === "a model answers"
          ? model.play({ calls: [ask], delayMillis: 1_000 })
          : model.play(ScriptedModel.calls({ name: "wait", input: { name: "x" } }, ask))
        const run = yield* one.begin("go")
        yield* Quiescence.idle
        const closing = yield* Effect.fork(one.close)
        yield* Quiescence.idle
        expect(closing.unsafePoll()).toBeNull()
        yield* gate.open("x")
        yield* TestClock.adjust("30 seconds")
        yield* Quiescence.idle
        expect(closing.unsafePoll()).not.toBeNull()
        yield* Fiber.join(closing)
        expect(yield* reader.run(run.runId)).toMatchObject({ state: "running", releasedAt: expect.any(Number) })
        expect((yield* reader.questions(null)).map(({ runId }) => runId)).toEqual([run.runId])
      })
    )
  }

  it.scoped("P5 does not wait for a run that waits only for a human, while it waits for others", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open, reader } = yield* ground
      const options = { tools: [waiting(gate), asked], policy: Permissions.askToWrite }
      const one = yield* open("one", { ...options, config: { drainMillis: 60_000 } })
      yield* model.play(ScriptedModel.calls({ name: "ask", input: {} }))
      const waits = yield* one.begin("ask me")
      yield* one.seen(waits, "permission.asked")
      yield* model.play(
        ScriptedModel.calls({ name: "wait", input: { name: "x" } }, { name: "ask", input: {} }),
        ScriptedModel.text("done")
      )
      const works = yield* one.begin("work")
      yield* gate.reached("x")
      yield* one.seen(works, "permission.asked")
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      expect(yield* reader.run(waits.runId)).toMatchObject({ releasedAt: expect.any(Number) })
      expect(yield* reader.run(works.runId)).toMatchObject({ releasedAt: null })
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.join(closing)
      expect((yield* reader.questions(null)).map(({ runId }) => runId)).toEqual([waits.runId, works.runId])
    })
  )

  it.scoped("P5 leaves queued runs queued; the next engine starts them after the run, in order", () =>
    Effect.gen(function* () {
      const { gate, model, one, open, run } = yield* two
      const queue = { whenBusy: "queue" } as const
      const second = yield* one.send(run.sessionId, "two", queue)
      const third = yield* one.send(run.sessionId, "three", queue)
      yield* one.close
      const later = yield* open("later")
      yield* Quiescence.idle
      expect((yield* later.gateway.run(second.runId)).state).toBe("queued")
      yield* gate.open("b2")
      yield* model.play(ScriptedModel.text("second"), ScriptedModel.text("third"), ScriptedModel.text("fourth"))
      const fourth = yield* later.send(run.sessionId, "four", queue)
      yield* later.gateway.await(fourth)
      for (const { runId } of [run, second, third]) {
        expect((yield* later.gateway.run(runId)).stopReason).toBe("completed")
      }
      expect((yield* later.lines(run.sessionId)).slice(5)).toEqual([
        "assistant: done",
        "user: two",
        "assistant: second",
        "user: three",
        "assistant: third",
        "user: four",
        "assistant: fourth"
      ])
    })
  )

  it.scoped("closes at once, even if its first change was made in an uninterruptible region", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      yield* storage.createSession(newSession())
      const one = yield* open("one")
      yield* Effect.uninterruptible(one.gateway.patch({ sessionId: s1, title: "renamed" }))
      yield* Quiescence.idle
      yield* one.close
    })
  )

  it.scoped("waits for a tool that ignores interruption, but not for ever", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = Tool.make("stubborn", { description: "stubborn", input: {} }).handle(() =>
        Effect.uninterruptible(gate.pass("stubborn"))
      )
      const { model, open } = yield* ground
      const one = yield* open("one", { tools: [tool] })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
      const run = yield* one.begin("go")
      yield* gate.reached("stubborn")
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      expect(yield* (yield* open("later")).gateway.run(run.runId)).toMatchObject({ releasedAt: expect.any(Number) })
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust("5 seconds")
      yield* closing
      yield* gate.open("stubborn")
    })
  )
})

describe("P9 whoever waits for an engine that closes", () => {
  const closed = { _tag: "StorageFailed", code: "CLOSED" }

  /** Begins to wait: for each, where it can be interrupted and where it cannot. */
  const forked = (waits: ReadonlyArray<Effect.Effect<unknown, unknown>>) =>
    Effect.forEach(
      waits.flatMap((wait) => [wait, Effect.uninterruptible(wait)]),
      (wait) => Effect.fork(Effect.flip(wait))
    )

  it.scoped("P9 gets the end of a run that the engine waits for, and all its events", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const one = yield* open("one", { config: { drainMillis: 60_000 } })
      yield* model.play({ text: "x", delayMillis: 1_000 }, { text: "y", hang: true })
      const run = yield* one.begin("go")
      const other = yield* one.begin("and you?")
      yield* Quiescence.idle
      const ends = yield* Effect.fork(
        Effect.all([one.gateway.await(run), one.seen(run, "run.ended")], { concurrency: 2 })
      )
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      expect(closing.unsafePoll()).toBeNull()
      const cancelled = yield* Effect.fork(one.gateway.cancel(other.runId))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(ends)).toMatchObject([{ stopReason: "completed" }, { stopReason: "completed" }])
      yield* Fiber.join(cancelled)
      yield* Fiber.join(closing)
    })
  )

  it.scoped("P9 gets an error, and so does whoever comes after that", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const { begin, close, gateway, seen, send } = yield* open("a")
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      const { sessionId } = run
      yield* seen(run, "text.delta")
      const queued = yield* send(sessionId, "and?", { whenBusy: "queue" })
      const waits: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
        await: Effect.provideService(Run.answer(run), Gateway.Gateway, gateway),
        queued: gateway.await(queued),
        events: Stream.runDrain(gateway.events({ sessionId })),
        entries: Stream.runDrain(gateway.events({ sessionId, entries: true })),
        changes: Stream.runDrain(gateway.changes())
      }
      const waiting = yield* forked(Object.values(waits))
      yield* Quiescence.idle
      expect(waiting.map((fiber) => fiber.unsafePoll())).toEqual(waiting.map(() => null))
      yield* close
      for (const fiber of waiting) expect(yield* Fiber.join(fiber)).toMatchObject(closed)
      for (const wait of [...Object.values(waits), gateway.cancel(run.runId), gateway.delete(sessionId)]) {
        expect(yield* Effect.flip(wait)).toMatchObject(closed)
      }
    })
  )

  for (const what of ["await", "cancel", "send", "resume", "delete"] as const) {
    it.scoped(`P9 gets an error when it waits for another engine as well (${what})`, () =>
      Effect.gen(function* () {
        const { declare, model, open } = yield* ground
        const one = yield* open("one", stopped)
        const { close, gateway, send } = yield* open("other")
        yield* declare("one", "unknown")
        yield* model.play({ text: "half", hang: true })
        const run = yield* one.begin("go")
        const { runId, sessionId } = run
        yield* one.seen(run, "text.delta")
        yield* TestClock.adjust("1 minute")
        const waits: Readonly<Record<typeof what, Effect.Effect<unknown, unknown>>> = {
          await: gateway.await(run),
          cancel: gateway.cancel(runId),
          send: send(sessionId, "and?"),
          resume: gateway.resume(sessionId),
          delete: gateway.delete(sessionId)
        }
        const waiting = yield* forked([waits[what]])
        yield* Quiescence.idle
        expect(waiting.map((fiber) => fiber.unsafePoll())).toEqual(waiting.map(() => null))
        yield* close
        for (const fiber of waiting) expect(yield* Fiber.join(fiber)).toMatchObject(closed)
      })
    )
  }
})
