/** How a client identifies what is being written: by the ids and the place with which it will be stored. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import { Message, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { open } from "../runtime/fixture.js"

const look = Tool.make("look", { description: "looks", access: "read", input: {} }).handle(() => Effect.succeed("seen"))

const isDelta = (event: SessionEvent.SessionEvent) =>
  event.type === "text.delta" || event.type === "reasoning.delta" || event.type === "call.arguments"

describe("deltas", () => {
  it.scoped("P10 have the place of the message being written, and calls the ids with which they will be stored", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open({ tools: [look] })
      const calls = [ScriptedModel.call(look, {}), ScriptedModel.call(look, {})]
      yield* model.play({ reasoning: "hm", text: "I look", calls }, ScriptedModel.text("done"))
      const { cursor, id } = yield* session()
      const told = yield* gateway
        .events({ sessionId: id, after: cursor })
        .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect, Effect.fork)
      yield* gateway.await(yield* send(id, "go"))
      const events = [...(yield* told)]
      const entries = [...(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))]
      const steps = entries.filter(({ message }) => message.role === "assistant")
      expect(new Set(events.filter(isDelta).map(({ seq }) => seq))).toEqual(new Set(steps.map(({ seq }) => seq)))
      const callIds = events.filter(SessionEvent.is("call.arguments")).map(({ callId }) => callId)
      expect([...new Set(callIds)]).toEqual(
        steps.flatMap(({ message }) => Message.callsOf(message)).map((call) => call.callId)
      )
      expect(callIds).not.toEqual([])
    })
  )

  it.scoped("P10 of a retried step belong to other calls, with the ids with which those are stored", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open({ tools: [look] })
      const calls = [ScriptedModel.call(look, {})]
      yield* model.play({ calls, failure: { reason: "overloaded" } }, { calls }, ScriptedModel.text("done"))
      const { cursor, id } = yield* session()
      const told = yield* gateway
        .events({ sessionId: id, after: cursor })
        .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect, Effect.fork)
      const run = yield* send(id, "go")
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      yield* gateway.await(run)
      const callIds = [...(yield* told)].filter(SessionEvent.is("call.arguments")).map(({ callId }) => callId)
      const [step] = [...(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))].flatMap(({ message }) =>
        Message.callsOf(message)
      )
      expect([...new Set(callIds)]).toEqual([expect.any(String), step?.callId])
    })
  )
})
