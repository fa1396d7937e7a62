/** What calls ask people while they run. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { type Inquiry, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { SkeinTest } from "skein/testing"
import { type AnyTool, open } from "./fixture.js"

const inquiry: Inquiry.Inquiry = {
  from: "files",
  text: "Which one?",
  fields: [
    { name: "path", kind: "text", title: "Path", isRequired: true },
    { name: "deep", kind: "boolean", title: "Deep", isRequired: false }
  ]
}

const asks = Tool.make("asks", { description: "asks", input: {} }).handle(() =>
  Effect.map(Tool.ask(inquiry), (reply) => JSON.stringify(reply))
)

/** A run whose call has asked. */
const asked = Effect.fnUntraced(function* (tool: AnyTool) {
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call({ name: "asks" }, {})), ScriptedModel.text("done"))
  const ref = yield* engine.begin("go")
  const { questionId } = yield* engine.seen(ref, "permission.asked")
  return { ...engine, ref, questionId }
})

describe("an inquiry of a running call", () => {
  it.scoped("P12 accepts only values that fit it, with which the call goes on", () =>
    Effect.gen(function* () {
      const { gateway, lines, questionId, ref } = yield* asked(asks)
      expect((yield* gateway.snapshot(ref.sessionId)).questions).toMatchObject([{ tool: "asks", display: { inquiry } }])
      const refused = (input: Partial<Parameters<typeof gateway.answer>[0]>) =>
        Effect.map(Effect.flip(gateway.answer({ questionId, verdict: "allow-once", ...input })), (error) =>
          "field" in error ? error.field : error._tag
        )
      expect(yield* refused({})).toBe("values.path")
      expect(yield* refused({ values: { path: 1 } })).toBe("values.path")
      expect(yield* refused({ values: { path: "a", other: "b" } })).toBe("values")
      expect(yield* refused({ verdict: "allow-for-session", values: { path: "a" } })).toBe("verdict")
      expect(yield* refused({ verdict: "deny", values: { path: "a" } })).toBe("values")
      const values = { path: "a", deep: true }
      yield* gateway.answer({ questionId, verdict: "allow-once", values })
      expect(yield* refused({})).toBe("QuestionAnswered")
      yield* gateway.await(ref)
      expect((yield* lines(ref.sessionId))[2]).toBe(`asks success: ${JSON.stringify({ _tag: "Given", values })}`)
    })
  )

  it.scoped("can be declined", () =>
    Effect.gen(function* () {
      const { gateway, lines, questionId, ref } = yield* asked(asks)
      yield* gateway.answer({ questionId, verdict: "deny", message: "no" })
      yield* gateway.await(ref)
      expect((yield* lines(ref.sessionId))[2]).toBe('asks success: {"_tag":"Declined","message":"no"}')
    })
  )

  it.scoped("can be dismissed, which is not an answer", () =>
    Effect.gen(function* () {
      const { gateway, lines, questionId, ref } = yield* asked(asks)
      const both = { questionId, verdict: "allow-once", isDismissed: true, values: { path: "a" } } as const
      expect(yield* Effect.flip(gateway.answer(both))).toMatchObject({ _tag: "InvalidInput", field: "verdict" })
      yield* gateway.answer({ questionId, verdict: "deny", isDismissed: true })
      expect((yield* gateway.question(questionId)).answer).toMatchObject({ verdict: "deny", isDismissed: true })
      yield* gateway.await(ref)
      expect((yield* lines(ref.sessionId))[2]).toBe('asks success: {"_tag":"Dismissed"}')
    })
  )

  it.scoped("P11 leaves no open question once the call stops waiting or the run is cancelled", () =>
    Effect.gen(function* () {
      const gate = yield* Effect.makeSemaphore(0)
      const gaveUp = Tool.make("asks", { description: "asks", input: {} }).handle(() =>
        Effect.gen(function* () {
          const waiting = yield* Effect.fork(Tool.ask(inquiry))
          yield* gate.take(1)
          return Exit.isInterrupted(yield* Fiber.interrupt(waiting)) ? "gave up" : "answered"
        })
      )
      const first = yield* asked(gaveUp)
      yield* gate.release(1)
      yield* first.gateway.await(first.ref)
      const { answer } = yield* first.gateway.question(first.questionId)
      expect(answer).toMatchObject({ verdict: "deny", message: "the call ended before anybody answered" })

      const second = yield* asked(asks)
      yield* second.gateway.cancel(second.ref.runId)
      yield* second.gateway.await(second.ref)
      expect((yield* second.gateway.question(second.questionId)).answer?.verdict).toBe("deny")
      expect(yield* second.gateway.questions()).toEqual([])
    })
  )

  it.scoped("P12 is bounded in size and number", () =>
    Effect.gen(function* () {
      const many = Tool.make("asks", { description: "asks", input: {} }).handle(() =>
        Effect.gen(function* () {
          const wordy = yield* Effect.flip(Tool.ask({ ...inquiry, text: "x".repeat(5_000) }))
          for (let count = 0; count < 16; count++) yield* Effect.fork(Tool.ask(inquiry))
          yield* Effect.yieldNow()
          const more = yield* Effect.flip(Tool.ask(inquiry))
          return `${wordy.field}, ${more.limit}`
        })
      )
      const { gateway, lines, ref } = yield* asked(many)
      yield* gateway.await(ref)
      expect((yield* lines(ref.sessionId))[2]).toBe("asks success: text, 16 questions of a call")
      expect(yield* gateway.questions()).toEqual([])
    })
  )

  it.effect("can be answered by a test that calls the tool alone", () =>
    Effect.gen(function* () {
      expect(yield* SkeinTest.call(asks, {})).toBe('{"_tag":"Declined","message":null}')
      const onAsk = () => Effect.succeed({ _tag: "Given", values: {} } as const)
      expect(yield* SkeinTest.call(asks, {}, { onAsk })).toBe('{"_tag":"Given","values":{}}')
    })
  )
})
