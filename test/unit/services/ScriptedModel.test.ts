import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Option, Schema, Stream, TestClock } from "effect"
import { Cursor, SessionId } from "../../../src/domain/Session.js"
import * as Usage from "../../../src/domain/Usage.js"
import type { View } from "../../../src/domain/View.js"
import type { Model, StepRequest } from "../../../src/services/Model.js"
import * as ScriptedModel from "../../../src/services/ScriptedModel.js"
import * as Tool from "../../../src/services/Tool.js"

const request = (view: View): StepRequest => ({
  system: null,
  view,
  tools: [],
  options: {},
  output: null,
  file: () => Effect.dieMessage("no file was to be read")
})

const user: View = [{ role: "user", parts: [{ type: "text", text: "hello" }] }]
const answered: View = [...user, { role: "assistant", parts: [{ type: "text", text: "hi" }] }, ...user]

const run = (model: Model, view: View) =>
  Effect.map(Stream.runCollect(model.step(request(view))), Chunk.toReadonlyArray)

const weather = Tool.make("weather", {
  description: "The temperature in a city",
  access: "read",
  input: { city: Schema.String, unit: Schema.optionalWith(Schema.Literal("C", "F"), { default: () => "C" }) }
}).handle(({ city }) => Effect.succeed(city))

describe("ScriptedModel.make", () => {
  const model = ScriptedModel.make(
    [
      {
        reasoning: "Let me see.",
        text: ["Hel", "lo"],
        calls: [
          { name: "read", input: { path: "a" } },
          { name: "read", input: "{cut" }
        ],
        usage: { inputTokens: 3 }
      },
      { text: "half", failure: { reason: "rate-limited", status: 429, retryAfterMillis: 10 } }
    ],
    "demo.json"
  )

  it.effect("plays a step: reasoning, text, calls, finish", () =>
    Effect.gen(function* () {
      const parts = yield* run(model, user)
      const reasoning = parts.flatMap((part) => (part.type === "reasoning" ? [part.delta] : []))
      assert.deepStrictEqual(reasoning, ["Let", " me", " see."])
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "text" ? [part.delta] : [])),
        ["Hel", "lo"]
      )
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "call" ? [[part.index, part.name, part.input]] : [])),
        [
          [0, "read", `{"path":"a"}`],
          [1, "read", "{cut"]
        ]
      )
      assert.deepStrictEqual(parts.at(-1), {
        type: "finish",
        reason: "tool-calls",
        usage: { ...Usage.unknown, inputTokens: 3 }
      })
    })
  )

  it.effect("finds its step by the view alone", () =>
    Effect.gen(function* () {
      const first = yield* run(model, user)
      assert.deepStrictEqual(yield* run(model, user), first)
      const error = yield* Effect.flip(run(model, answered))
      assert.deepStrictEqual([error.reason, error.status, error.retryAfterMillis], ["rate-limited", 429, 10])
    })
  )

  it.effect("rejects a step past the script's end, with the step's number", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(model, [...answered, ...answered]))
      assert.strictEqual(error.reason, "rejected")
      assert.strictEqual(error.detail, "the script has no step 3")
      assert.strictEqual(error.model, "script/demo.json")
    })
  )

  it.effect("waits before each delta as long as the step says", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(run(ScriptedModel.make([{ text: ["a", "b"], delayMillis: 100 }]), user))
      yield* TestClock.adjust("199 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).length, 3)
    })
  )
})

describe("ScriptedModel", () => {
  const resolve = Effect.flatMap(ScriptedModel.models, (models) =>
    models.resolve({
      id: SessionId.make("s1"),
      title: "A session",
      named: false,
      owner: null,
      workdir: "/",
      placement: null,
      parent: null,
      agent: null,
      model: { provider: "anthropic", model: "any" },
      metadata: {},
      usage: Usage.zero,
      head: 0,
      cursor: Cursor.make(0),
      createdAt: 0,
      updatedAt: 0
    })
  )

  it.effect("plays the queued steps in order, and keeps the requests", () =>
    Effect.gen(function* () {
      const scripted = yield* ScriptedModel.ScriptedModel
      const model = yield* resolve
      yield* scripted.play(
        ScriptedModel.fail("overloaded"),
        ScriptedModel.calls(
          ScriptedModel.call(weather, { city: "Oslo" }),
          ScriptedModel.call({ name: "unknown" }, { any: "input" }),
          ScriptedModel.call({ name: "unknown" }, "{cut")
        )
      )
      yield* scripted.play({ ...ScriptedModel.reasoning("hm"), ...ScriptedModel.text("done") })
      assert.strictEqual((yield* Effect.flip(run(model, user))).reason, "overloaded")
      assert.deepStrictEqual(
        (yield* run(model, user)).flatMap((part) => (part.type === "call" ? [[part.name, part.input]] : [])),
        [
          ["weather", `{"city":"Oslo"}`],
          ["unknown", `{"any":"input"}`],
          ["unknown", "{cut"]
        ]
      )
      const last = yield* run(model, answered)
      assert.deepStrictEqual(
        last.map((part) => part.type),
        ["reasoning", "text", "finish"]
      )
      assert.deepStrictEqual(
        (yield* scripted.requests).map((request) => request.view),
        [user, user, answered]
      )
    }).pipe(Effect.provide(ScriptedModel.layer))
  )

  it.effect("rejects a request without a queued step, with the request's number", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(yield* resolve, user))
      assert.strictEqual(error.reason, "rejected")
      assert.strictEqual(error.detail, "no step was played for request 1")
    }).pipe(Effect.provide(ScriptedModel.layer))
  )

  it.effect("hang never ends by itself, but can be interrupted", () =>
    Effect.gen(function* () {
      const scripted = yield* ScriptedModel.ScriptedModel
      yield* scripted.play({ ...ScriptedModel.text("so"), ...ScriptedModel.hang })
      const model = yield* resolve
      const first = yield* Stream.runHead(Stream.take(model.step(request(user)), 1))
      assert.isTrue(Option.isSome(first))
      yield* scripted.play(ScriptedModel.hang)
      const fiber = yield* Effect.fork(run(model, user))
      yield* TestClock.adjust("1 days")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(ScriptedModel.layer))
  )
})
