import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import type { ModelRef, Options } from "../../../../src/domain/ModelRef.js"
import type { ViewItem, ViewReasoning } from "../../../../src/domain/View.js"
import { OpenAi } from "../../../../src/openai.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { session } from "./Sessions.js"
import { at, parts, saying } from "./StepRequests.js"

const apiKey = Redacted.make("canary-openai")

const ask = Effect.fn(function* (settings: Partial<OpenAi.Options>, options: Options = {}) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(FakeProvider.responses({ text: "ok" }))
  yield* parts(OpenAi.make({ apiKey, model: "gpt-5", ...settings, baseUrl: fake.url }), { options })
  return yield* fake.take
})

const reasoning = (itemId: string, text: string, content: string | null): ViewReasoning => ({
  type: "reasoning",
  text,
  providerMetadata: { openai: { itemId, reasoningEncryptedContent: content } }
})

describe("OpenAi", () => {
  it.scoped("stores nothing at OpenAI and asks for encrypted reasoning", () =>
    Effect.gen(function* () {
      const { body, headers, path } = yield* ask({}, { reasoningEffort: "high" })
      assert.strictEqual(path, "/responses")
      assert.strictEqual(headers.authorization, "Bearer canary-openai")
      assert.strictEqual(at(body, "store"), false)
      assert.deepStrictEqual(at(body, "include"), ["reasoning.encrypted_content"])
      assert.deepStrictEqual(at(body, "reasoning"), { effort: "high" })
      assert.strictEqual(at(body, "max_output_tokens"), 8192)
    })
  )

  it.scoped("requests a summary of the reasoning only if configured", () =>
    Effect.gen(function* () {
      const { body } = yield* ask({ reasoningSummary: "auto" })
      assert.deepStrictEqual(at(body, "reasoning"), { summary: "auto" })
    })
  )

  it.scoped("asks for no encrypted reasoning from a model that does not reason", () =>
    Effect.gen(function* () {
      const { body } = yield* ask({ model: "gpt-4o" }, { temperature: 0.2, maxOutputTokens: 50 })
      assert.isUndefined(at(body, "include"))
      assert.strictEqual(at(body, "temperature"), 0.2)
      assert.strictEqual(at(body, "max_output_tokens"), 50)
    })
  )

  it.scoped("does not hold tool inputs to the strict subset of JSON Schema", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.responses({ text: "ok" }))
      yield* parts(OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url }), {
        tools: [{ name: "read", description: "Reads", inputSchema: { type: "object", properties: {} } }]
      })
      const { body } = yield* fake.take
      assert.deepStrictEqual(at(body, "tools"), [
        {
          type: "function",
          name: "read",
          description: "Reads",
          parameters: { type: "object", properties: {} },
          strict: false
        }
      ])
    })
  )

  it.scoped("sends encrypted reasoning and item ids back with their parts", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const model = OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url })
      yield* fake.answer(
        FakeProvider.responses({ reasoning: "hm", text: "so", calls: [{ name: "read", input: { path: "a" } }] }),
        FakeProvider.responses({ text: "ok" })
      )
      const streamed = yield* parts(model)
      const metadata = (type: "text" | "reasoning") =>
        streamed.flatMap((part) => (part.type === type && part.providerMetadata ? [part.providerMetadata] : [])).at(-1)
      const called = streamed.find((part) => part.type === "call")
      assert(called?.type === "call" && called.providerMetadata !== undefined)
      const [forReasoning, forText] = [metadata("reasoning"), metadata("text")]
      assert(forReasoning !== undefined && forText !== undefined)
      const assistant: ViewItem = {
        role: "assistant",
        parts: [
          { type: "reasoning", text: "hm", providerMetadata: forReasoning },
          { type: "text", text: "so", providerMetadata: forText },
          { type: "call", id: "call_1", name: "read", input: { path: "a" }, providerMetadata: called.providerMetadata }
        ]
      }
      const results: ViewItem = {
        role: "tool",
        results: [{ id: "call_1", name: "read", text: "content", isError: false }]
      }
      yield* parts(model, { view: [...saying("hello"), assistant, results] })
      const [, { body } = { body: null }] = yield* fake.received
      const input = at(body, "input")
      assert.deepStrictEqual(at(input, 2), {
        type: "reasoning",
        id: "rs_1",
        encrypted_content: "sealed",
        summary: [{ type: "summary_text", text: "hm" }]
      })
      assert.deepStrictEqual(at(input, 3), {
        role: "assistant",
        id: "msg_1",
        content: [{ type: "output_text", text: "so" }]
      })
      assert.strictEqual(at(input, 4, "call_id"), "call_1")
      assert.strictEqual(at(input, 4, "arguments"), `{"path":"a"}`)
      assert.deepStrictEqual(at(input, 5), { type: "function_call_output", call_id: "call_1", output: "content" })
      assert.notInclude(JSON.stringify(body), "item_reference")
    })
  )

  it.scoped("leaves out reasoning without encrypted content, except parts of an item that has some", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.responses({ text: "ok" }))
      yield* parts(OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url }), {
        view: [
          ...saying("hello"),
          {
            role: "assistant",
            parts: [
              reasoning("rs_lost", "gone", null),
              reasoning("rs_kept", "first", null),
              reasoning("rs_kept", "second", "sealed"),
              { type: "reasoning", text: "from nowhere" },
              { type: "text", text: "so" }
            ]
          },
          ...saying("go on")
        ]
      })
      const { text } = yield* fake.take
      assert.notInclude(text, "rs_lost")
      assert.notInclude(text, "from nowhere")
      assert.include(text, `"encrypted_content":"sealed"`)
      assert.include(text, "first")
    })
  )

  it.scoped("fails on a failed response, whatever came before", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { deltas } = Frames.responses({ text: "so far" })
      const failed = (error: unknown) =>
        FakeProvider.sse([...deltas, Frames.event("response.failed", { sequence_number: 9, response: { error } })])
      yield* fake.answer(
        failed({ code: "rate_limit_exceeded", message: "slow down" }),
        failed({ code: "server_error", message: "oops" }),
        failed({ code: "invalid_prompt", message: "no" }),
        failed(null)
      )
      const model = OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url })
      for (const reason of ["rate-limited", "overloaded", "rejected", "overloaded"]) {
        assert.strictEqual((yield* Effect.flip(parts(model))).reason, reason)
      }
    })
  )

  it.scoped("maps an error in the stream to a reason, with all of its fields or not", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const cases = [
        ["insufficient_quota", "rejected"],
        ["cyber_policy", "rejected"],
        ["image_content_policy_violation", "rejected"],
        ["rate_limit_exceeded", "rate-limited"],
        ["server_error", "overloaded"]
      ] as const
      const { deltas } = Frames.responses({ text: "so far" })
      const model = OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url })
      for (const [code, reason] of cases) {
        for (const before of [deltas, deltas.slice(0, 1)]) {
          for (const number of [{ sequence_number: 9 }, {}]) {
            const error = { code, message: "so it is" }
            const failed = Frames.event("response.failed", { ...number, response: { error } })
            const told = Frames.event("error", { ...number, ...error, param: null })
            for (const frame of [failed, told]) {
              yield* fake.answer(FakeProvider.sse([...before, frame]))
              const failure = yield* Effect.flip(parts(model))
              assert.strictEqual(failure.reason, reason, `${code} ${before.length} ${JSON.stringify(number)} ${frame}`)
              assert.strictEqual(failure.detail, "so it is")
            }
          }
        }
      }
    })
  )

  it.scoped("asks for an effort that the model supports, and for no fewer tokens than the API allows", () =>
    Effect.gen(function* () {
      for (const [model, wanted, sent] of [
        ["gpt-5", "none", "minimal"],
        ["gpt-5", "max", "high"],
        ["gpt-5-pro", "low", "high"],
        ["gpt-5.1", "minimal", "low"],
        ["gpt-5.1", "none", "none"],
        ["gpt-5.1-codex-max", "xhigh", "xhigh"],
        ["gpt-5.2", "max", "xhigh"],
        ["gpt-6-luna", "max", "max"],
        ["o3", "minimal", "low"],
        ["o4-mini", "none", "low"],
        ["o3", "high", "high"]
      ] as const) {
        const { body } = yield* ask({ model }, { reasoningEffort: wanted, maxOutputTokens: 3 })
        assert.strictEqual(at(body, "reasoning", "effort"), sent, `${model} ${wanted}`)
        assert.strictEqual(at(body, "max_output_tokens"), 16)
      }
    })
  )

  it.scoped("sends a text after omitted reasoning without its item's id", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.responses({ text: "ok" }))
      const providerMetadata = { openai: { itemId: "msg_1" } }
      yield* parts(OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url }), {
        view: [
          ...saying("hello"),
          {
            role: "assistant",
            parts: [reasoning("rs_1", "", null), { type: "text", text: "so", providerMetadata }]
          },
          ...saying("go on")
        ]
      })
      const { text } = yield* fake.take
      assert.notInclude(text, "rs_1")
      assert.notInclude(text, "msg_1")
    })
  )

  it.scoped("reports an exhausted quota as rejected, not as a rate limit", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.failure(429, { message: "You exceeded your quota", type: "insufficient_quota" }))
      const error = yield* Effect.flip(parts(OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url })))
      assert.strictEqual(error.reason, "rejected")
      assert.strictEqual(error.status, 429)
    })
  )
})

describe("OpenAi.models", () => {
  it.effect("takes its key from OPENAI_API_KEY, serves its models, refuses others", () =>
    Effect.gen(function* () {
      const models = yield* OpenAi.models({ model: "gpt-5" }).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["OPENAI_API_KEY", "canary"]])))
      )
      const resolve = (ref: ModelRef | null) => models.resolve(session({ model: ref }))
      assert.strictEqual((yield* resolve(null)).model, "gpt-5")
      assert.strictEqual((yield* resolve({ provider: "openai", model: "gpt-4o" })).model, "gpt-4o")
      const error = yield* Effect.flip(resolve({ provider: "anthropic", model: "claude-sonnet-4-5" }))
      assert.strictEqual(error._tag, "ModelUnavailable")
    })
  )
})
