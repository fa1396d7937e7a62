import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, Ref, TestClock } from "effect"
import { type Message, Permissions, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { ground, stopped } from "./engines.js"

/** An engine with one call that runs while the other waits for a human. The engine gives no sign of life. */
const left = Effect.gen(function* () {
  const gate = yield* Gate.make
  const first = Tool.make("first", { description: "waits", input: {} }).handle(() => gate.pass("first"))
  const second = Tool.make("second", { description: "waits", input: {} }).handle(() => gate.pass("second"))
  const tools = [first, second]
  const policy: Permissions.Policy = ({ tool }) =>
    Effect.succeed(tool === "second" ? Permissions.ask : Permissions.allow)

  const engines = yield* ground
  yield* engines.model.play(ScriptedModel.calls(ScriptedModel.call(first, {}), ScriptedModel.call(second, {})))
  const one = yield* engines.open("one", { ...stopped, tools, policy })
  const run = yield* one.begin("go")
  yield* gate.reached("first")
  yield* Quiescence.idle
  const { calls } = yield* engines.reader.openBatch(run.sessionId)
  expect(calls.map(({ name, state }) => `${name} ${state}`)).toEqual(["first started", "second pending"])
  return { ...engines, calls, gate, policy, run, tools }
})

describe("processes that the calls of a dead engine left running", () => {
  it.scoped("are ended before the calls are closed, and only those of calls that had started", () =>
    Effect.gen(function* () {
      const { calls, declare, open, reader, run } = yield* left
      yield* declare("one", "dead")
      const ended = yield* Ref.make<ReadonlyArray<Message.CallId>>([])
      const other = yield* open("other", {
        processes: {
          end: (callIds) =>
            Effect.gen(function* () {
              const open = yield* Effect.orDie(reader.openBatch(run.sessionId))
              expect(open.calls).toEqual(calls)
              yield* Ref.update(ended, (before) => [...before, ...callIds])
            })
        }
      })
      yield* Effect.flip(other.send(run.sessionId, "again"))
      expect(yield* Ref.get(ended)).toEqual(calls.slice(0, 1).map(({ callId }) => callId))
      expect((yield* reader.openBatch(run.sessionId)).calls.map(({ name }) => name)).toEqual(["second"])
    })
  )

  it.scoped("are left alone if another engine was faster and has its own now", () =>
    Effect.gen(function* () {
      const { declare, gate, open, policy, reader, run, tools } = yield* left
      yield* declare("one", "dead")
      const faster = yield* open("faster", { tools, policy })
      const takeOver = Effect.gen(function* () {
        const [question] = yield* reader.questions(run.sessionId)
        if (question === undefined) return
        yield* faster.gateway.answer({ questionId: question.id, verdict: "allow-once" })
        yield* gate.reached("second")
      }).pipe(Effect.orDie)
      const ended = yield* Ref.make<ReadonlyArray<Message.CallId>>([])
      const slower = yield* open("slower", {
        reader: (reader) => ({
          ...reader,
          openBatch: (sessionId) => Effect.zipRight(takeOver, reader.openBatch(sessionId))
        }),
        processes: { end: (callIds) => Ref.update(ended, (before) => [...before, ...callIds]) }
      })
      expect((yield* Effect.flip(slower.send(run.sessionId, "again")))._tag).toBe("SessionBusy")
      const { calls } = yield* reader.openBatch(run.sessionId)
      expect(calls.map(({ name, state }) => `${name} ${state}`)).toEqual(["second started"])
      expect(yield* Ref.get(ended)).toEqual([])
    })
  )

  it.scoped("are left alone if their engine may live, even if it has lost its lease", () =>
    Effect.gen(function* () {
      const { open, policy, reader, run, tools } = yield* left
      yield* TestClock.adjust("1 minute")
      const ended = yield* Ref.make(0)
      const other = yield* open("other", {
        tools,
        policy,
        processes: { end: () => Ref.update(ended, (times) => times + 1) }
      })
      const sending = yield* Effect.fork(Effect.flip(other.send(run.sessionId, "again")))
      yield* Quiescence.idle
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(sending)
      const { holder } = yield* reader.activity(run.sessionId)
      expect(Option.map(holder, ({ engine }) => engine?.instance)).toEqual(Option.some("other"))
      expect(yield* Ref.get(ended)).toBe(0)
    })
  )
})
