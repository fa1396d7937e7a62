import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { AssetId } from "../../../../src/domain/Asset.js"
import { ChatCompletions } from "../../../../src/openai.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { session } from "./Sessions.js"
import { at, parts, saying, textOf } from "./StepRequests.js"

describe("ChatCompletions", () => {
  it.scoped("sends the options of the session, and a key only if there is one", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.chat({ text: "ok" }), FakeProvider.chat({ text: "ok" }))
      const options = { name: "my.local-server", baseUrl: `${fake.url}/v1`, model: "small" }
      const keyed = ChatCompletions.make({
        ...options,
        apiKey: Redacted.make("canary-chat"),
        headers: { "x-team": "canary-team" }
      })
      assert.strictEqual(keyed.provider, "my.local-server")
      yield* parts(keyed, {
        options: { reasoningEffort: "low", seed: 7, stop: ["END"], temperature: 1, maxOutputTokens: 99 }
      })
      yield* parts(ChatCompletions.make({ ...options, maxOutputTokens: 5 }))
      const [first, second] = yield* fake.received
      assert(first !== undefined)
      assert.strictEqual(first.path, "/v1/chat/completions")
      assert.strictEqual(first.headers.authorization, "Bearer canary-chat")
      assert.strictEqual(first.headers["x-team"], "canary-team")
      for (const [key, value] of Object.entries({
        model: "small",
        max_tokens: 99,
        reasoning_effort: "low",
        seed: 7,
        stop: ["END"],
        temperature: 1,
        stream: true,
        stream_options: { include_usage: true }
      })) {
        assert.deepStrictEqual(at(first.body, key), value, key)
      }
      assert.isUndefined(second?.headers.authorization)
      assert.strictEqual(at(second?.body, "max_tokens"), 5)
      assert.isUndefined(at(second?.body, "reasoning_effort"))
    })
  )

  it.scoped("sends the nearest effort that the model's server knows", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.answering(() => FakeProvider.chat({ text: "ok" }))
      for (const [model, wanted, sent] of [
        ["qwen3", "max", "high"],
        ["qwen3", "xhigh", "high"],
        ["qwen3", "none", "none"],
        ["openai/gpt-5.2", "max", "xhigh"],
        ["gpt-5", "none", "minimal"]
      ] as const) {
        const options = { reasoningEffort: wanted }
        yield* parts(ChatCompletions.make({ name: "local", baseUrl: fake.url, model }), { options })
        assert.strictEqual(at((yield* fake.take).body, "reasoning_effort"), sent, `${wanted} for ${model}`)
      }
    })
  )

  it.scoped("reports a missing count as unknown, never as zero", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const model = ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "small" })
      yield* fake.answer(
        FakeProvider.chat({ text: "ok" }),
        FakeProvider.chat({ text: "ok", usage: { inputTokens: 3 } })
      )
      const unknown = { inputTokens: null, outputTokens: null, reasoningTokens: null, cachedInputTokens: null }
      for (const usage of [unknown, { ...unknown, inputTokens: 3 }]) {
        const finish = (yield* parts(model)).at(-1)
        assert(finish?.type === "finish")
        assert.deepStrictEqual(finish.usage, usage)
      }
    })
  )

  it.scoped("keeps alternating texts and reasonings apart", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(
        FakeProvider.sse([
          Frames.chatDelta({ reasoning_content: "one" }),
          Frames.chatDelta({ content: "two" }),
          Frames.chatDelta({ reasoning_content: "three" }),
          Frames.chatDelta({ content: "four" }),
          Frames.chatFinish("stop")
        ])
      )
      const all = yield* parts(ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "small" }))
      const ids = all.flatMap((part) => (part.type === "text" || part.type === "reasoning" ? [part.id] : []))
      assert.strictEqual(new Set(ids).size, 4)
    })
  )

  it.scoped("lets a finish with a reason override an error frame", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.chat({ text: "all there" })
      yield* fake.answer(
        FakeProvider.sse([Frames.data({ error: { message: "one of our servers hiccuped" } }), ...deltas, ...closing])
      )
      const all = yield* parts(ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "small" }))
      assert.strictEqual(textOf(all), "all there")
      assert.strictEqual(all.at(-1)?.type, "finish")
    })
  )

  it.scoped("sends the signature of a Gemini call back with the call", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const model = ChatCompletions.make({ name: "gemini", baseUrl: fake.url, model: "g" })
      const signed = { index: 0, id: "c1", type: "function", function: { name: "read", arguments: "{}" } }
      yield* fake.answer(
        FakeProvider.sse([
          Frames.chatDelta({ tool_calls: [{ ...signed, extra_content: { google: { thought_signature: "c2ln" } } }] }),
          Frames.chatFinish("tool_calls")
        ]),
        FakeProvider.chat({ text: "ok" })
      )
      const called = (yield* parts(model)).find((part) => part.type === "call")
      assert(called?.type === "call" && called.providerMetadata !== undefined)
      yield* parts(model, {
        view: [
          ...saying("hello"),
          {
            role: "assistant",
            parts: [{ type: "call", id: "c1", name: "read", input: {}, providerMetadata: called.providerMetadata }]
          },
          { role: "tool", results: [{ id: "c1", name: "read", text: "content", isError: false }] }
        ]
      })
      const [, { body } = { body: null }] = yield* fake.received
      assert.deepStrictEqual(at(body, "messages", 2, "tool_calls", 0), {
        id: "c1",
        type: "function",
        function: { name: "read", arguments: "{}" },
        extra_content: { google: { thought_signature: "c2ln" } }
      })
    })
  )

  it.scoped("joins user messages that follow each other, texts as one text and files in their order", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.chat({ text: "ok" }), FakeProvider.chat({ text: "ok" }))
      const model = ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "gemma" })
      yield* parts(model, { view: [...saying("hello"), ...saying("are you there?"), ...saying("and now?")] })
      const picture = { type: "file", assetId: AssetId.make("a1"), mediaType: "image/png" } as const
      yield* parts(model, {
        view: [
          ...saying("look"),
          { role: "user", parts: [picture] },
          { role: "assistant", parts: [{ type: "text", text: "I see." }] },
          ...saying("good")
        ],
        file: () => Effect.succeed(pictures["image/png"](3, 4))
      })
      const [texts, files] = yield* fake.received
      assert.deepStrictEqual(at(texts?.body, "messages"), [
        { role: "system", content: "You are terse." },
        { role: "user", content: "hello\n\nare you there?\n\nand now?" }
      ])
      assert.deepStrictEqual(at(files?.body, "messages", 1, "content", 0), { type: "text", text: "look" })
      assert.strictEqual(at(files?.body, "messages", 1, "content", 1, "type"), "image_url")
      assert.deepStrictEqual(at(files?.body, "messages", 3), { role: "user", content: "good" })
    })
  )

  it.scoped("serves any model of its server", () =>
    Effect.gen(function* () {
      const models = yield* ChatCompletions.models({
        name: "local",
        baseUrl: "http://127.0.0.1:1",
        model: "small",
        contextTokens: 9
      })
      assert.strictEqual((yield* models.resolve(session())).model, "small")
      const other = yield* models.resolve(session({ model: { provider: "local", model: "large" } }))
      assert.strictEqual(other.model, "large")
      assert.isNull(other.contextTokens, "what was said of one model is not said of another")
    })
  )
})
