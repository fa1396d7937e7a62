import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Anthropic } from "../../../../src/anthropic.js"
import type { ModelRef, Options } from "../../../../src/domain/ModelRef.js"
import type { ViewItem } from "../../../../src/domain/View.js"
import { Models } from "../../../../src/services/Model.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { at, parts, passIdleTime, request, saying, textOf } from "./StepRequests.js"
import { session } from "./Sessions.js"

const apiKey = Redacted.make("canary-anthropic")

const ask = Effect.fn(function* (model: string, options: Options) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
  yield* parts(Anthropic.make({ apiKey, model, baseUrl: fake.url }), { options })
  return (yield* fake.take).body
})

describe("Anthropic", () => {
  it.scoped("sends key, model, system, tools and a token limit", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      const model = Anthropic.make({
        apiKey,
        model: "claude-sonnet-4-5",
        baseUrl: fake.url,
        headers: { "x-team": Redacted.make("canary-team") }
      })
      yield* parts(model, { tools: [{ name: "read", description: "Reads", inputSchema: { type: "object" } }] })
      const { body, headers, path } = yield* fake.take
      assert.strictEqual(path, "/messages")
      assert.strictEqual(headers["x-api-key"], "canary-anthropic")
      assert.strictEqual(headers["x-team"], "canary-team")
      assert.strictEqual(at(body, "model"), "claude-sonnet-4-5")
      assert.strictEqual(at(body, "max_tokens"), 8192)
      assert.strictEqual(at(body, "system", 0, "text"), "You are terse.")
      assert.strictEqual(at(body, "tools", 0, "name"), "read")
      assert.strictEqual(at(body, "tools", 0, "input_schema", "type"), "object")
    })
  )

  it.scoped("marks the prompt for caching, unless told not to", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }), FakeProvider.anthropic({ text: "ok" }))
      const options = { apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url }
      yield* parts(Anthropic.make(options))
      yield* parts(Anthropic.make({ ...options, cache: false }))
      const [cached, plain] = yield* fake.received
      assert.deepStrictEqual(at(cached?.body, "system", 0, "cache_control"), { type: "ephemeral" })
      assert.deepStrictEqual(at(cached?.body, "messages", 0, "content", 0, "cache_control"), { type: "ephemeral" })
      assert.notInclude(plain?.text, "cache_control")
    })
  )

  it.scoped("thinks as the session says: by budget before Claude 4.6, by effort from then on", () =>
    Effect.gen(function* () {
      const budget = yield* ask("claude-sonnet-4-5", { reasoningEffort: "medium", maxOutputTokens: 1000 })
      assert.deepStrictEqual(at(budget, "thinking"), { type: "enabled", budget_tokens: 8192 })
      assert.strictEqual(at(budget, "max_tokens"), 9192)
      const effort = yield* ask("claude-opus-4-6", { reasoningEffort: "minimal" })
      assert.deepStrictEqual(at(effort, "thinking"), { type: "adaptive", display: "summarized" })
      assert.deepStrictEqual(at(effort, "output_config"), { effort: "low" })
      const newer = yield* ask("claude-sonnet-5", { reasoningEffort: "high" })
      assert.deepStrictEqual(at(newer, "output_config"), { effort: "high" })
      const dated = yield* ask("claude-sonnet-4-20250514", { reasoningEffort: "low" })
      assert.deepStrictEqual(at(dated, "thinking"), { type: "enabled", budget_tokens: 2048 })
      const none = yield* ask("claude-sonnet-4-5", { reasoningEffort: "none" })
      assert.deepStrictEqual(at(none, "thinking"), { type: "disabled" })
      assert.isUndefined(at(yield* ask("claude-sonnet-4-5", {}), "thinking"))
    })
  )

  it.scoped("passes temperature and stop texts on", () =>
    Effect.gen(function* () {
      const body = yield* ask("claude-sonnet-4-5", { temperature: 0.5, stop: ["END"], seed: 1 })
      assert.strictEqual(at(body, "temperature"), 0.5)
      assert.deepStrictEqual(at(body, "stop_sequences"), ["END"])
    })
  )

  it.scoped("signed and redacted thinking goes back as it came; unsigned is left out", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const model = Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url })
      yield* fake.answer(
        FakeProvider.sse([
          Frames.anthropicStart(),
          ...Frames.anthropicBlock(0, { type: "thinking", thinking: "" }, [
            { type: "thinking_delta", thinking: "hm" },
            { type: "signature_delta", signature: "c2lnbmVk" }
          ]),
          ...Frames.anthropicBlock(1, { type: "redacted_thinking", data: "c2VhbGVk" }, []),
          ...Frames.anthropicBlock(2, { type: "text", text: "" }, [{ type: "text_delta", text: "so" }]),
          ...Frames.anthropicStop("end_turn", 3)
        ]),
        FakeProvider.anthropic({ text: "ok" })
      )
      const streamed = yield* parts(model)
      const written = ["0", "1"].map((id) => {
        const deltas = streamed.filter((part) => part.type === "reasoning" && part.id === id)
        const text = deltas.map((part) => (part.type === "reasoning" ? part.delta : "")).join("")
        const providerMetadata = deltas
          .flatMap((part) => (part.type === "reasoning" ? [part.providerMetadata] : []))
          .at(-1)
        return { type: "reasoning" as const, text, ...(providerMetadata === undefined ? {} : { providerMetadata }) }
      })
      const assistant: ViewItem = {
        role: "assistant",
        parts: [...written, { type: "reasoning", text: "unsigned" }, { type: "text", text: "so" }]
      }
      yield* parts(model, { view: [...saying("hello"), assistant, ...saying("go on")] })
      const [, { body } = { body: null }] = yield* fake.received
      assert.deepStrictEqual(at(body, "messages", 1, "content"), [
        { type: "thinking", thinking: "hm", signature: "c2lnbmVk" },
        { type: "redacted_thinking", data: "c2VhbGVk" },
        { type: "text", text: "so" }
      ])
    })
  )

  it.scoped("results go back beside their calls, failures marked", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      yield* parts(Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url, cache: false }), {
        view: [
          ...saying("read both"),
          {
            role: "assistant",
            parts: [
              { type: "call", id: "a", name: "read", input: { path: "x" } },
              { type: "call", id: "b", name: "read", input: {} }
            ]
          },
          {
            role: "tool",
            results: [
              { id: "a", name: "read", text: "content", isError: false },
              { id: "b", name: "read", text: "no path", isError: true }
            ]
          }
        ]
      })
      const { body } = yield* fake.take
      assert.deepStrictEqual(at(body, "messages", 1, "content"), [
        { type: "tool_use", id: "a", name: "read", input: { path: "x" } },
        { type: "tool_use", id: "b", name: "read", input: {} }
      ])
      assert.deepStrictEqual(at(body, "messages", 2, "content"), [
        { type: "tool_result", tool_use_id: "a", content: "content" },
        { type: "tool_result", tool_use_id: "b", content: "no path", is_error: true }
      ])
    })
  )

  it.scoped("passes over kinds of events that it does not know", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "whole" })
      yield* fake.answer(FakeProvider.sse([...deltas, Frames.event("message_mood", { mood: "fine" }), ...closing]))
      assert.strictEqual(textOf(yield* parts(Anthropic.make({ apiKey, model: "m", baseUrl: fake.url }))), "whole")
    })
  )

  it.scoped("a block of a kind that it does not know is malformed: something was lost", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "whole" })
      yield* fake.answer(
        FakeProvider.sse([...deltas, ...Frames.anthropicBlock(1, { type: "song", notes: [] }, []), ...closing])
      )
      const error = yield* Effect.flip(parts(Anthropic.make({ apiKey, model: "m", baseUrl: fake.url })))
      assert.strictEqual(error.reason, "malformed")
    })
  )

  it.scoped("steps use the connections of those before them", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const steps = 6
      yield* fake.answer(...Array.from({ length: steps }, () => FakeProvider.anthropic({ text: "done" })))
      const model = Anthropic.make({ apiKey, model: "m", baseUrl: fake.url })
      for (let step = 0; step < steps; step++) yield* parts(model)
      // Not each time: a connection may not be back yet when the next step begins.
      assert.isBelow(new Set((yield* fake.received).map(({ port }) => port)).size, steps)
    })
  )

  it.scoped("ends with the finish although the server keeps the answer open", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const finished = yield* Deferred.make<void>()
      const { closing, deltas } = Frames.anthropic({ text: "done" })
      yield* fake.answer(FakeProvider.sse([...deltas, ...closing], { end: "silence" }))
      const fiber = yield* Anthropic.make({ apiKey, model: "m", baseUrl: fake.url })
        .step(request())
        .pipe(
          Stream.tap((part) => (part.type === "finish" ? Deferred.succeed(finished, undefined) : Effect.void)),
          Stream.runDrain,
          Effect.fork
        )
      yield* Deferred.await(finished)
      yield* passIdleTime(fiber)
      yield* Fiber.join(fiber)
      yield* (yield* fake.take).closed
    })
  )

  it.effect("knows its models' context, and believes the host", () =>
    Effect.sync(() => {
      assert.strictEqual(Anthropic.make({ apiKey, model: "claude-sonnet-4-5" }).contextTokens, 200_000)
      assert.strictEqual(Anthropic.make({ apiKey, model: "claude-x", contextTokens: 5 }).contextTokens, 5)
      assert.isNull(Anthropic.make({ apiKey, model: "other" }).contextTokens)
    })
  )
})

describe("Anthropic.layer", () => {
  const resolve = (ref: ModelRef | null) => Effect.flatMap(Models, (models) => models.resolve(session({ model: ref })))
  const variables = ConfigProvider.fromMap(new Map([["ANTHROPIC_API_KEY", "canary-variable"]]))

  it.scoped("takes its key from ANTHROPIC_API_KEY and serves any of its models by it", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      const layer = Anthropic.layer({ model: "claude-sonnet-4-5", baseUrl: fake.url, contextTokens: 7 }).pipe(
        Layer.provide(Layer.setConfigProvider(variables))
      )
      const [standard, other] = yield* Effect.provide(
        Effect.all([resolve(null), resolve({ provider: "anthropic", model: "claude-opus-4-6" })]),
        layer
      )
      assert.deepStrictEqual([standard.model, standard.contextTokens], ["claude-sonnet-4-5", 7])
      assert.deepStrictEqual([other.model, other.contextTokens], ["claude-opus-4-6", 200_000])
      yield* parts(other)
      const { body, headers } = yield* fake.take
      assert.strictEqual(headers["x-api-key"], "canary-variable")
      assert.strictEqual(at(body, "model"), "claude-opus-4-6")
    })
  )

  it.effect("refuses a session of another provider", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(resolve({ provider: "openai", model: "gpt-5" }))
      assert.strictEqual(error._tag, "ModelUnavailable")
      assert.strictEqual(error.model, "openai/gpt-5")
    }).pipe(Effect.provide(Anthropic.layer({ model: "claude-sonnet-4-5", apiKey })))
  )

  it.effect("cannot be built without a key", () =>
    Effect.gen(function* () {
      const layer = Anthropic.layer({ model: "claude-sonnet-4-5" }).pipe(
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map())))
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.include(JSON.stringify(error), "ANTHROPIC_API_KEY")
    })
  )
})
