import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Redacted, Stream } from "effect"
import { Anthropic } from "../../../../src/anthropic.js"
import type { ModelRef, Options } from "../../../../src/domain/ModelRef.js"
import type { View, ViewItem, ViewReasoning } from "../../../../src/domain/View.js"
import type { Models } from "../../../../src/services/Model.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { at, parts, passIdleTime, request, saying, textOf } from "./StepRequests.js"
import { session } from "./Sessions.js"

const apiKey = Redacted.make("canary-anthropic")

const claude = (baseUrl: string) => Anthropic.make({ apiKey, baseUrl, model: "claude-sonnet-4-5" })

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

  it.scoped("marks the prompt for caching, unless configured not to", () =>
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

  it.scoped("follows the session's reasoning effort: as a budget before Claude 4.6, as an effort since then", () =>
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

  it.scoped("knows which models think, how much they can, and which cannot stop thinking", () =>
    Effect.gen(function* () {
      const thinking = (model: string, reasoningEffort: Options["reasoningEffort"]) =>
        Effect.map(ask(model, reasoningEffort === undefined ? {} : { reasoningEffort }), (body) => [
          at(body, "thinking", "type"),
          at(body, "thinking", "budget_tokens"),
          at(body, "output_config", "effort")
        ])
      for (const [model, effort, type, budget, sent] of [
        ["claude-3-haiku-20240307", "high", undefined, undefined, undefined],
        ["claude-3-5-sonnet-20241022", "low", undefined, undefined, undefined],
        ["claude-3-7-sonnet-20250219", "low", "enabled", 2048, undefined],
        ["claude-opus-4-1", "max", "enabled", 31_999, undefined],
        ["claude-opus-4-6", "xhigh", "adaptive", undefined, "high"],
        ["claude-opus-4-7", "xhigh", "adaptive", undefined, "xhigh"],
        ["claude-opus-4-7", "minimal", "adaptive", undefined, "low"],
        ["claude-fable-5-1", "none", undefined, undefined, "low"],
        ["claude-opus-5-5", "none", undefined, undefined, "low"],
        ["claude-haiku-5-5", "none", "disabled", undefined, undefined],
        ["claude-fable-5-1", undefined, undefined, undefined, undefined]
      ] as const) {
        assert.deepStrictEqual(yield* thinking(model, effort), [type, budget, sent], `${model} ${effort}`)
      }
    })
  )

  const thought = (signature: string): ViewReasoning => ({
    type: "reasoning",
    text: "hm",
    providerMetadata: { anthropic: { signature } }
  })
  const called = (opening: ReadonlyArray<ViewReasoning>): ReadonlyArray<ViewItem> => [
    { role: "assistant", parts: [...opening, { type: "call", id: "c1", name: "read", input: {} }] },
    { role: "tool", results: [{ id: "c1", name: "read", text: "done", isError: false }] }
  ]

  it.scoped("asks a model that binds its thinking to drop blocks that no longer fit", () =>
    Effect.gen(function* () {
      const ask = Effect.fn(function* (model: string, view: View, options: Options) {
        const fake = yield* FakeProvider.make
        yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
        yield* parts(Anthropic.make({ apiKey, model, baseUrl: fake.url }), { view, options })
        const { body, headers } = yield* fake.take
        return [at(body, "thinking", "block_binding", "prefix_mismatch_behavior"), headers["anthropic-beta"]]
      })
      const view = [...saying("go"), ...called([thought("s")])]
      const beta = "thinking-binding-controls-2026-08-01"
      for (const model of ["claude-fable-5-1", "claude-mythos-5-2", "claude-opus-5-5", "claude-haiku-5-5"]) {
        assert.deepStrictEqual(yield* ask(model, view, {}), ["drop_block", beta], model)
        assert.deepStrictEqual(yield* ask(model, view, { reasoningEffort: "high" }), ["drop_block", beta], model)
      }
      assert.deepStrictEqual(yield* ask("claude-fable-5-1", saying("go"), {}), [undefined, undefined])
      assert.deepStrictEqual(yield* ask("claude-sonnet-4-5", view, {}), [undefined, undefined])
    })
  )

  it.scoped("does not enable thinking of an older model in a turn that began without it", () =>
    Effect.gen(function* () {
      const thinkingOf = Effect.fn(function* (view: View, model = "claude-sonnet-4-5") {
        const fake = yield* FakeProvider.make
        yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
        const made = Anthropic.make({ apiKey, model, baseUrl: fake.url })
        yield* parts(made, { view, options: { reasoningEffort: "low" } })
        return at((yield* fake.take).body, "thinking", "type")
      })
      const unsigned: ViewReasoning = { type: "reasoning", text: "hm" }
      assert.strictEqual(yield* thinkingOf([...saying("go"), ...called([thought("s")])]), "enabled")
      assert.strictEqual(yield* thinkingOf([...saying("go"), ...called([thought("s")]), ...called([])]), "enabled")
      assert.isUndefined(yield* thinkingOf([...saying("go"), ...called([])]))
      assert.isUndefined(yield* thinkingOf([...saying("go"), ...called([unsigned])]))
      assert.isUndefined(yield* thinkingOf([...saying("go"), ...called([]), ...called([thought("s")])]))
      assert.isUndefined(yield* thinkingOf([...saying("go"), ...called([]), ...saying("and"), ...saying("so")]))
      const answered: ReadonlyArray<ViewItem> = [
        ...called([]),
        { role: "assistant", parts: [{ type: "text", text: "a" }] }
      ]
      assert.strictEqual(yield* thinkingOf([...saying("go"), ...answered, ...saying("and")]), "enabled")
      assert.strictEqual(yield* thinkingOf([...saying("go"), ...called([])], "claude-opus-4-7"), "adaptive")
    })
  )

  it.scoped("sends other servers no field and no beta that only Anthropic's server knows", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      yield* parts(Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url }), {
        tools: [{ name: "read", description: "Reads", inputSchema: { type: "object" } }],
        options: { reasoningEffort: "low" }
      })
      const { body, headers } = yield* fake.take
      assert.isUndefined(at(body, "tools", 0, "eager_input_streaming"))
      assert.isUndefined(headers["anthropic-beta"])
    })
  )

  it.scoped("sends the betas from a header of the host", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      const headers = { "anthropic-beta": "context-1m-2025-08-07" }
      yield* parts(Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url, headers }), {
        tools: [{ name: "read", description: "Reads", inputSchema: { type: "object" } }]
      })
      assert.strictEqual((yield* fake.take).headers["anthropic-beta"], "context-1m-2025-08-07")
    })
  )

  it.scoped("also marks the end of the previous request: a step of many calls exceeds the look-back", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      const many: ReadonlyArray<ViewItem> = [
        {
          role: "assistant",
          parts: Array.from({ length: 12 }, (_, index) => ({
            type: "call" as const,
            id: `c${index}`,
            name: "read",
            input: {}
          }))
        },
        {
          role: "tool",
          results: Array.from({ length: 12 }, (_, index) => ({
            id: `c${index}`,
            name: "read",
            text: "done",
            isError: false
          }))
        }
      ]
      yield* parts(Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url }), {
        view: [...saying("go"), ...called([]), ...many]
      })
      const { body } = yield* fake.take
      const messages = at(body, "messages")
      assert(Array.isArray(messages))
      const marked = messages.flatMap((message, index) =>
        JSON.stringify(message).includes("cache_control") ? [index] : []
      )
      assert.deepStrictEqual(marked, [2, 4])
    })
  )

  it.scoped("leaves out blank stop texts, and asks for no more output than the oldest models can write", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(at(yield* ask("claude-sonnet-4-5", { stop: ["\n", "END", " "] }), "stop_sequences"), [
        "END"
      ])
      assert.strictEqual(at(yield* ask("claude-3-opus-20240229", {}), "max_tokens"), 4096)
    })
  )

  it.scoped("thinks and writes within half of a small context", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }), FakeProvider.anthropic({ text: "ok" }))
      for (const [contextTokens, budget, most] of [
        [40_000, 10_000, 18_192],
        [3_000, undefined, 1_500]
      ] as const) {
        const model = Anthropic.make({ apiKey, model: "claude-sonnet-4-5", baseUrl: fake.url, contextTokens })
        const options = { reasoningEffort: "high" } as const
        assert.strictEqual(model.outputTokens?.(options), most)
        yield* parts(model, { options })
        const { body } = yield* fake.take
        assert.strictEqual(at(body, "thinking", "budget_tokens"), budget)
        assert.strictEqual(at(body, "max_tokens"), most)
      }
    })
  )

  it.scoped("passes temperature and stop texts on", () =>
    Effect.gen(function* () {
      const body = yield* ask("claude-sonnet-4-5", { temperature: 0.5, stop: ["END"], seed: 1 })
      assert.strictEqual(at(body, "temperature"), 0.5)
      assert.deepStrictEqual(at(body, "stop_sequences"), ["END"])
    })
  )

  it.scoped("sends signed and redacted thinking back unchanged, and leaves out unsigned thinking", () =>
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

  it.scoped("reports the input tokens that were read from the cache and written to it", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const usage = { inputTokens: 100, outputTokens: 7, cachedInputTokens: 20, cacheWriteTokens: 30 }
      yield* fake.answer(FakeProvider.anthropic({ text: "ok", usage }))
      const last = (yield* parts(claude(fake.url))).at(-1)
      assert(last?.type === "finish")
      assert.deepStrictEqual(last.usage, { ...usage, inputTokens: 150, reasoningTokens: null })
    })
  )

  it.scoped("joins a signature that comes in pieces", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const pieces = ["c2l", "nbm", "VkIQ=="].map((signature) => ({ type: "signature_delta", signature }))
      yield* fake.answer(
        FakeProvider.sse([
          Frames.anthropicStart(),
          ...Frames.anthropicBlock(0, { type: "thinking", thinking: "" }, [
            { type: "thinking_delta", thinking: "hm" },
            ...pieces
          ]),
          ...Frames.anthropicStop("end_turn", 1)
        ])
      )
      const last = (yield* parts(claude(fake.url))).findLast(({ type }) => type === "reasoning")
      assert(last?.type === "reasoning")
      assert.deepStrictEqual(last.providerMetadata, { anthropic: { signature: "c2lnbmVkIQ==" } })
    })
  )

  it.scoped("sends results back with their calls, and marks failures", () =>
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

  it.scoped("ignores unknown kinds of events", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "whole" })
      yield* fake.answer(FakeProvider.sse([...deltas, Frames.event("message_mood", { mood: "fine" }), ...closing]))
      assert.strictEqual(textOf(yield* parts(Anthropic.make({ apiKey, model: "m", baseUrl: fake.url }))), "whole")
    })
  )

  it.scoped("ignores unknown kinds of blocks, deltas and citations", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "whole" })
      const news = [
        Frames.anthropicBlock(1, { type: "song", notes: [] }, [{ type: "note_delta", note: "c" }]),
        Frames.anthropicBlock(2, { type: "text", text: "" }, [
          { type: "citations_delta", citation: { type: "from_a_dream" } },
          { type: "mood_delta", mood: "good" }
        ])
      ]
      yield* fake.answer(FakeProvider.sse([...deltas, ...news.flat(), ...closing]))
      assert.strictEqual(textOf(yield* parts(Anthropic.make({ apiKey, model: "m", baseUrl: fake.url }))), "whole")
    })
  )

  it.scoped("fails as malformed when a known block or delta does not decode", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "whole" })
      const broken = [
        Frames.anthropicBlock(1, { type: "tool_use", id: "a", input: {} }, []),
        Frames.anthropicBlock(1, { type: "text", text: "" }, [{ type: "text_delta", words: "lost" }]),
        [Frames.event("content_block_start", { index: 1 })]
      ]
      yield* fake.answer(...broken.map((frames) => FakeProvider.sse([...deltas, ...frames, ...closing])))
      for (const _ of broken) {
        const error = yield* Effect.flip(parts(Anthropic.make({ apiKey, model: "m", baseUrl: fake.url })))
        assert.strictEqual(error.reason, "malformed")
      }
    })
  )

  it.scoped("reuses connections of earlier steps", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const steps = 6
      yield* fake.answer(...Array.from({ length: steps }, () => FakeProvider.anthropic({ text: "done" })))
      const model = Anthropic.make({ apiKey, model: "m", baseUrl: fake.url })
      for (let step = 0; step < steps; step++) yield* parts(model)
      // Not every time: a connection may not be free again when the next step begins.
      assert.isBelow(new Set((yield* fake.received).map(({ port }) => port)).size, steps)
    })
  )

  it.scoped("ends with the finish even if the server keeps the answer open", () =>
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

  it.effect("knows the context of its models, unless the host sets another", () =>
    Effect.sync(() => {
      assert.strictEqual(Anthropic.make({ apiKey, model: "claude-sonnet-4-5" }).contextTokens, 200_000)
      assert.strictEqual(Anthropic.make({ apiKey, model: "claude-x", contextTokens: 5 }).contextTokens, 5)
      assert.isNull(Anthropic.make({ apiKey, model: "other" }).contextTokens)
    })
  )
})

describe("Anthropic.models", () => {
  const resolve = (models: Models, ref: ModelRef | null) => models.resolve(session({ model: ref }))
  const variables = ConfigProvider.fromMap(new Map([["ANTHROPIC_API_KEY", "canary-variable"]]))

  it.scoped("takes its key from ANTHROPIC_API_KEY and serves any of its models with it", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.anthropic({ text: "ok" }))
      const models = yield* Anthropic.models({
        model: "claude-sonnet-4-5",
        baseUrl: fake.url,
        contextTokens: 7
      }).pipe(Effect.withConfigProvider(variables))
      const standard = yield* resolve(models, null)
      const other = yield* resolve(models, { provider: "anthropic", model: "claude-opus-4-6" })
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
      const models = yield* Anthropic.models({ model: "claude-sonnet-4-5", apiKey })
      const error = yield* Effect.flip(resolve(models, { provider: "openai", model: "gpt-5" }))
      assert.strictEqual(error._tag, "ModelUnavailable")
      assert.strictEqual(error.model, "openai/gpt-5")
    })
  )

  it.effect("cannot be built without a key", () =>
    Effect.gen(function* () {
      const error = yield* Anthropic.models({ model: "claude-sonnet-4-5" }).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
        Effect.flip
      )
      assert.include(JSON.stringify(error), "ANTHROPIC_API_KEY")
    })
  )
})
