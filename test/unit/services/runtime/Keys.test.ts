import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Gateway, Message, Run, SkeinError } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ground } from "./engines.js"
import { running } from "./leaving.js"

describe("an idempotency key stands for its message", () => {
  it.scoped("P5 Run.settle survives the deaths of engines, and returns the same end when called again", () =>
    Effect.gen(function* () {
      const { declare, die, model, open, run } = yield* running()
      const message = { sessionId: run.sessionId, text: "go", metadata: { who: "Ann" }, idempotencyKey: "k" }
      const settle = (gateway: Gateway.Service) => Effect.provideService(Run.settle(message), Gateway.Gateway, gateway)
      yield* die
      yield* model.play(ScriptedModel.hang)
      const second = yield* open("second")
      const first = yield* Effect.fork(settle(second.gateway))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      yield* Quiescence.idle
      expect(yield* model.requests).toHaveLength(2)
      yield* Fiber.interrupt(first)
      yield* declare("second", "dead")
      yield* model.play(ScriptedModel.text("done"))
      const third = yield* open("third")
      const again = yield* Effect.fork(settle(third.gateway))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      const end = yield* Fiber.join(again)
      expect(end).toMatchObject({ stopReason: "completed", metadata: { who: "Ann" } })
      expect(yield* settle(third.gateway)).toEqual(end)
      expect(yield* model.requests).toHaveLength(3)
      const sent = (yield* third.transcript(run.sessionId)).filter(({ message }) => message.role === "user")
      expect(sent).toHaveLength(1)
    })
  )

  it.scoped("P5 Run.settle returns a crashed run that the session went on without, and refuses another message", () =>
    Effect.gen(function* () {
      const { die, model, open, run } = yield* running()
      yield* die
      const later = yield* open("later")
      yield* model.play(ScriptedModel.text("other"))
      yield* later.gateway.await(yield* later.send(run.sessionId, "something else"))
      const message = { sessionId: run.sessionId, text: "go", metadata: { who: "Ann" }, idempotencyKey: "k" }
      const settled = yield* Effect.provideService(Run.settle(message), Gateway.Gateway, later.gateway)
      expect(settled).toMatchObject({ id: run.runId, stopReason: "crashed" })
      const conflict = yield* Effect.provideService(
        Effect.flip(Run.settle({ ...message, text: "other" })),
        Gateway.Gateway,
        later.gateway
      )
      expect(conflict).toBeInstanceOf(SkeinError.IdempotencyConflict)
    })
  )

  it.scoped("P5 and not for the released run before it, which is continued first", () =>
    Effect.gen(function* () {
      const { model, one, open, run } = yield* running({ drainMillis: 60_000 })
      const message = { sessionId: run.sessionId, text: "two", idempotencyKey: "k2" }
      const second = yield* one.gateway.send({ ...message, whenBusy: "queue" })
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.join(closing)
      yield* model.play(ScriptedModel.text("first"), ScriptedModel.text("second"))
      const later = yield* open("later")
      expect(yield* later.gateway.resume(run.sessionId, { idempotencyKey: "k2" })).toEqual(second)
      const settled = yield* Effect.provideService(Run.settle(message), Gateway.Gateway, later.gateway)
      expect(settled).toMatchObject({ id: second.runId, stopReason: "completed" })
      expect((yield* later.gateway.run(run.runId)).stopReason).toBe("completed")
    })
  )

  it.scoped("P5 resume refuses an unknown key, or a key with a run id, naming the field", () =>
    Effect.gen(function* () {
      const { one, run } = yield* running()
      const { sessionId } = run
      expect(yield* Effect.flip(one.gateway.resume(sessionId, { idempotencyKey: "unknown" }))).toMatchObject({
        _tag: "InvalidInput",
        field: "of.idempotencyKey"
      })
      expect(
        yield* Effect.flip(one.gateway.resume(sessionId, { idempotencyKey: "k", runId: run.runId }))
      ).toMatchObject({ _tag: "InvalidInput", field: "of" })
      expect(yield* one.gateway.resume(sessionId, { idempotencyKey: "k" })).toEqual(run)
      expect(yield* one.gateway.resume(sessionId, { runId: run.runId })).toEqual(run)
    })
  )

  it.scoped("P5 append with a key appends once", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const { gateway, lines, session } = yield* open("one")
      const { id } = yield* session()
      const messages = [Message.userText("one")]
      const entries = yield* gateway.append(id, messages, "k")
      expect(yield* gateway.append(id, messages, "k")).toEqual(entries)
      expect((yield* Effect.flip(gateway.append(id, [Message.userText("two")], "k")))._tag).toBe("IdempotencyConflict")
      expect(yield* lines(id)).toEqual(["user: one"])
    })
  )
})
