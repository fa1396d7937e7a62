/**
 * The calls of a step, as each protocol may write them: each call that begins either becomes a call or fails the step.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Option, Redacted } from "effect"
import { Model as Models } from "skein"
import { Anthropic } from "../../../../src/anthropic.js"
import { ChatCompletions, OpenAi } from "../../../../src/openai.js"
import type { Model, Part } from "../../../../src/services/Model.js"
import * as StepDraft from "../../../../src/domain/StepDraft.js"
import { ground } from "../../services/runtime/engines.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { failing, parts } from "./StepRequests.js"

const apiKey = Redacted.make("canary")

const anthropicModel = (url: string): Model => Anthropic.make({ apiKey, baseUrl: url, model: "claude-x" })
const openaiModel = (url: string): Model => OpenAi.make({ apiKey, baseUrl: url, model: "gpt-5" })
const chatModel = (url: string): Model => ChatCompletions.make({ name: "local", baseUrl: url, model: "small" })

/** Calls in each protocol, whose frames come one call after the other. */
const anthropicCalls = (...calls: ReadonlyArray<readonly [id: string, name: string]>) =>
  FakeProvider.sse([
    Frames.anthropicStart(),
    ...calls.flatMap(([id, name], index) =>
      Frames.anthropicBlock(index, { type: "tool_use", id, name, input: {} }, [
        { type: "input_json_delta", partial_json: `{"at":${index}}` }
      ])
    ),
    ...Frames.anthropicStop("tool_use", 1)
  ])

const added = (output_index: number, call_id: string, name: string) => ({
  output_index,
  item: { type: "function_call", id: `fc_${output_index}`, call_id, name, arguments: "" }
})

const done = (output_index: number, call_id: string, name: string, input: string) => ({
  output_index,
  item: { type: "function_call", id: `fc_${output_index}`, call_id, name, arguments: input, status: "completed" }
})

const responses = (...frames: ReadonlyArray<string>) =>
  FakeProvider.sse([
    Frames.event("response.created", { response: { id: "r", created_at: 1, model: "g" } }),
    ...frames,
    Frames.event("response.completed", { response: { usage: { input_tokens: 1, output_tokens: 1 } } })
  ])

const responsesCalls = (...calls: ReadonlyArray<readonly [id: string, name: string]>) =>
  responses(
    ...calls.flatMap(([id, name], index) => [
      Frames.event("response.output_item.added", added(index, id, name)),
      Frames.event("response.output_item.done", done(index, id, name, `{"at":${index}}`))
    ])
  )

const chat = (...deltas: ReadonlyArray<unknown>) =>
  FakeProvider.sse([
    ...deltas.map((delta) => Frames.chatDelta({ tool_calls: [delta] })),
    Frames.chatFinish("tool_calls"),
    "data: [DONE]\n\n"
  ])

const chatCalls = (...calls: ReadonlyArray<readonly [id: string, name: string]>) =>
  chat(...calls.map(([id, name], index) => ({ index, id, function: { name, arguments: `{"at":${index}}` } })))

const protocols = [
  ["Anthropic", anthropicModel, anthropicCalls],
  ["Responses", openaiModel, responsesCalls],
  ["chat completions", chatModel, chatCalls]
] as const

const run = Effect.fnUntraced(function* (model: (url: string) => Model, answer: FakeProvider.Answer) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(answer)
  return yield* parts(model(fake.url))
})

const failureOf = Effect.fnUntraced(function* (model: (url: string) => Model, answer: FakeProvider.Answer) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(answer)
  return (yield* failing(model(fake.url))).error
})

const calls = (all: ReadonlyArray<Part>) =>
  all.flatMap((part) => (part.type === "call" ? [`${part.index} ${part.name} ${part.input}`] : []))

const draft = (all: ReadonlyArray<Part>) => all.reduce(StepDraft.add, StepDraft.empty)

const flawOf = (all: ReadonlyArray<Part>) => Option.getOrNull(Either.getLeft(StepDraft.finished(draft(all))))

describe("each call that begins becomes a call", () => {
  for (const [protocol, model, answer] of protocols) {
    for (const [what, id] of [
      ["equal", "same"],
      ["empty", ""],
      ["blank", " "]
    ] as const) {
      it.scoped(`${protocol}: with ${what} ids, to two tools and to the same one`, () =>
        Effect.gen(function* () {
          const all = yield* run(model, answer([id, "first"], [id, "second"], [id, "second"]))
          assert.deepStrictEqual(calls(all), ['0 first {"at":0}', '1 second {"at":1}', '2 second {"at":2}'])
          assert.isNull(flawOf(all))
        })
      )
    }

    it.scoped(`${protocol}: named like a property of every object`, () =>
      Effect.gen(function* () {
        const all = yield* run(model, answer(["__proto__", "__proto__"], ["constructor", "constructor"]))
        assert.deepStrictEqual(calls(all), ['0 __proto__ {"at":0}', '1 constructor {"at":1}'])
      })
    )
  }

  it.scoped("Anthropic: with equal ids and interleaved inputs", () =>
    Effect.gen(function* () {
      const start = (index: number, name: string) =>
        Frames.event("content_block_start", { index, content_block: { type: "tool_use", id: "same", name, input: {} } })
      const delta = (index: number, partial_json: string) =>
        Frames.event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } })
      const stop = (index: number) => Frames.event("content_block_stop", { index })
      const all = yield* run(
        anthropicModel,
        FakeProvider.sse([
          Frames.anthropicStart(),
          start(0, "one"),
          start(1, "two"),
          delta(1, '{"b"'),
          delta(0, '{"a"'),
          delta(1, ":1}"),
          delta(0, ":1}"),
          stop(1),
          stop(0),
          ...Frames.anthropicStop("tool_use", 1)
        ])
      )
      assert.deepStrictEqual(calls(all), ['1 two {"b":1}', '0 one {"a":1}'])
      assert.deepStrictEqual(
        all.filter((part) => part.type === "call.delta" && part.delta !== ""),
        []
      )
    })
  )

  it.scoped("Responses: numbered in the order of their beginnings, not of their inputs", () =>
    Effect.gen(function* () {
      const all = yield* run(
        openaiModel,
        responses(
          Frames.event("response.output_item.added", added(0, "a", "first")),
          Frames.event("response.output_item.added", added(1, "b", "second")),
          Frames.event("response.function_call_arguments.delta", { item_id: "fc_1", output_index: 1, delta: "{}" }),
          Frames.event("response.function_call_arguments.delta", { item_id: "fc_0", output_index: 0, delta: "{}" }),
          Frames.event("response.output_item.done", done(1, "b", "second", "{}")),
          Frames.event("response.output_item.done", done(0, "a", "first", "{}"))
        )
      )
      assert.deepStrictEqual(
        StepDraft.calls(draft(all)).map(({ index, name }) => `${index} ${name}`),
        ["0 first", "1 second"]
      )
      const blocks = draft(all).blocks
      assert.deepStrictEqual(
        blocks.map((block) => (block.type === "call" ? block.index : -1)),
        [0, 1]
      )
    })
  )

  it.scoped("Responses: reported only at their ends, under one index", () =>
    Effect.gen(function* () {
      const all = yield* run(
        openaiModel,
        responses(
          Frames.event("response.output_item.done", done(0, "a", "first", "{}")),
          Frames.event("response.output_item.done", done(0, "a", "second", "{}"))
        )
      )
      assert.deepStrictEqual(calls(all), ["0 first {}", "1 second {}"])
    })
  )

  it.scoped("chat completions: under one index, and without an index", () =>
    Effect.gen(function* () {
      const call = (id: string, name: string) => ({ id, function: { name, arguments: "{}" } })
      for (const index of [{ index: 0 }, {}]) {
        const all = yield* run(
          chatModel,
          chat({ ...index, ...call("a", "first") }, { ...index, ...call("b", "second") })
        )
        assert.deepStrictEqual(calls(all), ["0 first {}", "1 second {}"])
      }
    })
  )

  it.scoped("chat completions: with continuations that repeat a blank name", () =>
    Effect.gen(function* () {
      const all = yield* run(
        chatModel,
        chat(
          { index: 0, id: "a", function: { name: "first", arguments: '{"a"' } },
          { index: 0, id: "", function: { name: "", arguments: ":1}" } },
          { index: 1, id: "b", function: { name: "second", arguments: "" } },
          { index: 1, id: "b", function: { name: "", arguments: "{}" } }
        )
      )
      assert.deepStrictEqual(calls(all), ['0 first {"a":1}', "1 second {}"])
    })
  )
})

describe("a call that cannot be distinguished fails the step as malformed", () => {
  const lost = {
    "with a blank name": [{ index: 0, id: "a", function: { name: "", arguments: "{}" } }],
    "with a blank name and no input": [{ index: 0, id: "a", function: { name: " ", arguments: "" } }],
    "without a name": [{ index: 0, id: "a", function: { arguments: "{}" } }],
    "with a blank name, next to a valid call": [
      { index: 0, id: "a", function: { name: "first", arguments: "{}" } },
      { index: 1, id: "b", function: { name: "", arguments: "{}" } }
    ],
    "with a blank name, under the index of a valid call": [
      { index: 0, id: "a", function: { name: "first", arguments: "{}" } },
      { index: 0, id: "b", function: { name: "", arguments: "" } }
    ],
    "whose input goes on without id and index next to another call": [
      { id: "a", function: { name: "first", arguments: '{"a"' } },
      { id: "b", function: { name: "second", arguments: '{"b"' } },
      { function: { arguments: ":1}" } }
    ]
  }
  for (const [what, deltas] of Object.entries(lost)) {
    it.scoped(`chat completions: ${what}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* failureOf(chatModel, chat(...deltas))).reason, "malformed")
      })
    )
  }

  it.scoped("Anthropic: without a name", () =>
    Effect.gen(function* () {
      const answer = FakeProvider.sse([
        Frames.anthropicStart(),
        ...Frames.anthropicBlock(0, { type: "tool_use", id: "a", input: {} }, []),
        ...Frames.anthropicStop("tool_use", 1)
      ])
      assert.strictEqual((yield* failureOf(anthropicModel, answer)).reason, "malformed")
    })
  )

  it.scoped("Responses: without a name, or without an id", () =>
    Effect.gen(function* () {
      for (const item of [
        { type: "function_call", id: "fc_0", call_id: "a", arguments: "{}", status: "completed" },
        { type: "function_call", id: "fc_0", name: "first", arguments: "{}", status: "completed" }
      ]) {
        const answer = responses(Frames.event("response.output_item.done", { output_index: 0, item }))
        assert.strictEqual((yield* failureOf(openaiModel, answer)).reason, "malformed")
      }
    })
  )
})

describe("a distinguishable call without a name", () => {
  it.scoped("becomes a call with an empty name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(calls(yield* run(anthropicModel, anthropicCalls(["a", ""]))), ['0  {"at":0}'])
      assert.deepStrictEqual(calls(yield* run(openaiModel, responsesCalls(["a", ""]))), ['0  {"at":0}'])
    })
  )

  it.scoped("has a result: the model is told that there is no such tool", () =>
    Effect.gen(function* () {
      for (const [model, first, second] of [
        [anthropicModel, anthropicCalls(["a", ""]), FakeProvider.anthropic({ text: "done" })],
        [openaiModel, responsesCalls(["a", ""]), FakeProvider.responses({ text: "done" })]
      ] as const) {
        const fake = yield* FakeProvider.make
        yield* fake.answer(first, second)
        const engine = yield* (yield* ground).open("a", { models: Models.always(model(fake.url)) })
        const { id } = yield* engine.session()
        assert.strictEqual((yield* engine.gateway.await(yield* engine.send(id, "go"))).stopReason, "completed")
        const [, told] = yield* fake.received
        assert.include(told?.text, "The call names no tool")
      }
    })
  )
})

describe("an unfinished call", () => {
  it.scoped("ends the step as cut", () =>
    Effect.gen(function* () {
      const open = yield* run(
        anthropicModel,
        FakeProvider.sse([
          Frames.anthropicStart(),
          Frames.event("content_block_start", {
            index: 0,
            content_block: { type: "tool_use", id: "a", name: "first", input: {} }
          }),
          ...Frames.anthropicStop("tool_use", 1)
        ])
      )
      assert.deepStrictEqual(flawOf(open), { reason: "cut", detail: "a call was not finished" })
      const item = yield* run(openaiModel, responses(Frames.event("response.output_item.added", added(0, "a", "x"))))
      assert.deepStrictEqual(flawOf(item), { reason: "cut", detail: "a call was not finished" })
      const none = yield* run(chatModel, chat())
      assert.deepStrictEqual(flawOf(none), {
        reason: "cut",
        detail: "the calls that it ends with are missing"
      })
    })
  )
})
