import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Run, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { open } from "./fixture.js"

const tool = Tool.make("count", { description: "counts", input: { n: Schema.Number } }).handle(({ n }) =>
  Effect.succeed(n)
)

const asks = (...numbers: ReadonlyArray<number>) =>
  ScriptedModel.calls(...numbers.map((n) => ScriptedModel.call(tool, { n })))

describe("a run that does not come to an end", () => {
  it.scoped("ends at the step limit, once its last batch is done", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model } = yield* open({ tools: [tool], stepLimit: 3 })
      yield* model.play(asks(1), asks(2), asks(3), ScriptedModel.text("never asked for"))
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({ stopReason: "step-limit", detail: "the run took 3 steps" })
      expect((yield* lines(run.sessionId)).slice(-2)).toEqual(["assistant: (count)", "count success: 3"])
      expect(yield* model.requests).toHaveLength(3)
    })
  )

  it.scoped("counts the steps of each run from zero", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open({
        tools: [tool],
        stepLimit: 2
      })
      const { id } = yield* session()
      for (const n of [1, 2]) {
        yield* model.play(asks(n), ScriptedModel.text("done"))
        expect((yield* gateway.await(yield* send(id, "go"))).stopReason).toBe("completed")
      }
    })
  )

  it.scoped("ends when the model asks for the same calls three times in a row, and they are not run a third time", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model, send } = yield* open({ tools: [tool] })
      yield* model.play(asks(1, 2), asks(1, 2), asks(1, 2))
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "repeated-calls",
        detail: "the model asked for the same calls 3 times in a row"
      })
      expect((yield* lines(run.sessionId)).slice(-3)).toEqual([
        "assistant: (count)(count)",
        "count never-started: Never started: this call was not run and had no effect.",
        "count never-started: Never started: this call was not run and had no effect."
      ])
      yield* model.play(ScriptedModel.text("sorry"))
      yield* gateway.await(yield* send(run.sessionId, "stop that"))
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])
    })
  )

  it.scoped("may repeat calls if others came in between", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open({ tools: [tool], config: { repeatLimit: 2 } })
      yield* model.play(asks(1), asks(2), asks(1), asks(1, 1), asks(1), ScriptedModel.text("done"))
      expect((yield* gateway.await(yield* begin("go"))).stopReason).toBe("completed")
    })
  )
})

describe("how the model ends its step is how the run ends", () => {
  const cases = [
    ["length", "output-limit", "the answer was cut: the model reached its output limit or the end of its context"],
    ["content-filter", "refused", "the provider's content filter ended the answer"],
    ["error", "failed", "the provider ended the step with an error"],
    ["stop", "completed", null],
    ["other", "completed", null]
  ] as const
  for (const [finish, stopReason, detail] of cases) {
    it.scoped(`${finish}: ${stopReason}`, () =>
      Effect.gen(function* () {
        const { begin, context, gateway, lines, model } = yield* open()
        yield* model.play({ text: "I was about to", finish })
        const run = yield* begin("go")
        expect(yield* gateway.await(run)).toMatchObject({ stopReason, detail })
        expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: I was about to"])
        const answer = yield* Effect.either(Effect.provide(Run.answer(run), context))
        expect(answer._tag).toBe(stopReason === "completed" ? "Right" : "Left")
      })
    )

    it.scoped(`${finish} with an empty answer: ${stopReason}`, () =>
      Effect.gen(function* () {
        const { begin, gateway, lines, model } = yield* open()
        yield* model.play({ finish })
        const run = yield* begin("go")
        const empty = detail ?? "the model's answer was empty"
        expect(yield* gateway.await(run)).toMatchObject({ stopReason, detail: empty })
        expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: "])
      })
    )
  }
})

describe("a paused answer goes on by itself", () => {
  it.scoped("the model continues after what it had written", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model } = yield* open()
      yield* model.play({ text: "First half,", finish: "paused" }, ScriptedModel.text("second half."))
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({ stopReason: "completed", detail: null })
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: First half,", "assistant: second half."])
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])
    })
  )

  it.scoped("until the run reaches its step limit", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open({ stepLimit: 3 })
      const paused = { text: "and so on", finish: "paused" } as const
      yield* model.play(paused, paused, paused)
      expect(yield* gateway.await(yield* begin("go"))).toMatchObject({ stopReason: "step-limit" })
    })
  )

  it.scoped("but ends the run if it is empty: there is nothing to go on from", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open()
      yield* model.play({ finish: "paused" })
      expect(yield* gateway.await(yield* begin("go"))).toMatchObject({
        stopReason: "output-limit",
        detail: "the provider paused before it had written anything"
      })
    })
  )
})

describe("usage", () => {
  it.scoped("of all steps is summed up for the run and for the session, and is in the run's last event", () =>
    Effect.gen(function* () {
      const { gateway, model, seen, send, session } = yield* open({ tools: [tool] })
      const { id } = yield* session()
      yield* model.play(
        { ...asks(1), usage: { inputTokens: 10, outputTokens: 1 } },
        { text: "done", usage: { inputTokens: 20, outputTokens: 2, cachedInputTokens: 5 } },
        { text: "done" }
      )
      const first = yield* send(id, "go")
      const { usage } = yield* gateway.await(first)
      expect(usage).toMatchObject({ steps: 2, unknownSteps: 0, inputTokens: 30, outputTokens: 3, cachedInputTokens: 5 })
      expect((yield* seen(first, "run.ended")).usage).toEqual(usage)
      yield* gateway.await(yield* send(id, "again"))
      expect((yield* gateway.session(id)).usage).toMatchObject({ steps: 3, unknownSteps: 1, inputTokens: 30 })
    })
  )

  it.scoped("of an empty answer counts too", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open()
      yield* model.play({ usage: { inputTokens: 10, outputTokens: 0 } })
      const run = yield* begin("go")
      expect((yield* gateway.await(run)).usage).toMatchObject({ steps: 1, unknownSteps: 0, inputTokens: 10 })
      expect((yield* gateway.session(run.sessionId)).usage).toMatchObject({ steps: 1, inputTokens: 10 })
    })
  )
})

describe("a message of a run that is larger than its limit", () => {
  const limits = { messageBytes: 500 }
  const long = "x".repeat(600)

  it.scoped("P12 as a step ends the run as failed, names the limit, and stores neither the step nor a part of it", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model } = yield* open({ config: { limits } })
      yield* model.play(ScriptedModel.text("x".repeat(300)))
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "message: at most 500 bytes (given: 515 bytes)"
      })
      expect(yield* lines(run.sessionId)).toEqual(["user: go"])
    })
  )

  it.scoped("P12 as a result ends the run as failed, names the limit, and closes the call as interrupted", () =>
    Effect.gen(function* () {
      const shout = Tool.make("shout", { description: "shout", input: {} }).handle(() => Effect.succeed(long))
      const { begin, gateway, lines, model } = yield* open({ tools: [shout], config: { limits } })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(shout, {})))
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "result: at most 500 bytes (given: 703 bytes)"
      })
      expect(yield* lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (shout)",
        "shout interrupted: Interrupted: this call had started and did not finish. Its effects are unknown: check them before you repeat it."
      ])
    })
  )
})
