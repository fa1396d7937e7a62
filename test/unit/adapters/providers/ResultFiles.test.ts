/** Files in tool results, as they go over the wire to the vendors that take them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { AiSdk } from "../../../../src/ai-sdk.js"
import { Anthropic } from "../../../../src/anthropic.js"
import { AssetId } from "../../../../src/domain/Asset.js"
import type { View } from "../../../../src/domain/View.js"
import { ChatCompletions, OpenAi } from "../../../../src/openai.js"
import type { Model } from "../../../../src/services/Model.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import * as FakeProvider from "./FakeProvider.js"
import { at, parts } from "./StepRequests.js"

const apiKey = Redacted.make("canary")
const picture = pictures["image/png"](3, 4)
const base64 = Buffer.from(picture).toString("base64")

const view: View = [
  { role: "user", parts: [{ type: "text", text: "look" }] },
  { role: "assistant", parts: [{ type: "call", id: "c1", name: "look", input: {} }] },
  {
    role: "tool",
    results: [
      {
        id: "c1",
        name: "look",
        text: "seen",
        files: [{ type: "file", assetId: AssetId.make("a1"), mediaType: "image/png", name: "shot.png" }],
        isError: false
      }
    ]
  }
]

const sent = Effect.fnUntraced(function* (of: (baseUrl: string) => Model, answer: FakeProvider.Answer) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(answer)
  yield* parts(of(fake.url), { view, file: () => Effect.succeed(picture) })
  return (yield* fake.take).body
})

describe("a picture in a result", () => {
  it.scoped("is sent to Anthropic as an image of the result", () =>
    Effect.gen(function* () {
      const body = yield* sent(
        (baseUrl) => Anthropic.make({ apiKey, baseUrl, model: "claude-sonnet-4-5" }),
        FakeProvider.anthropic({ text: "ok" })
      )
      const block = at(body, "messages", 2, "content", 0)
      assert.strictEqual(at(block, "type"), "tool_result")
      assert.deepStrictEqual(at(block, "content"), [
        { type: "text", text: "seen" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: base64 } }
      ])
    })
  )

  it.scoped("is sent to OpenAI as an image of the output", () =>
    Effect.gen(function* () {
      const body = yield* sent(
        (baseUrl) => OpenAi.make({ apiKey, baseUrl, model: "gpt-5" }),
        FakeProvider.responses({ text: "ok" })
      )
      assert.deepStrictEqual(at(body, "input", 3, "output"), [
        { type: "input_text", text: "seen" },
        { type: "input_image", image_url: `data:image/png;base64,${base64}` }
      ])
    })
  )

  it("is supported by Anthropic, OpenAI's own server, and AI SDK models whose host says so", () => {
    const baseUrl = "http://127.0.0.1:1"
    const claude = Anthropic.make({ apiKey, baseUrl, model: "claude-sonnet-4-5" })
    const gpt = OpenAi.make({ apiKey, model: "gpt-5" })
    const served = OpenAi.make({ apiKey, baseUrl, model: "gpt-5" })
    const chat = ChatCompletions.make({ name: "chat", baseUrl, model: "small" })
    assert.deepStrictEqual(
      [claude, gpt, served, chat].map(({ takesFilesInResults }) => takesFilesInResults),
      [true, true, false, false]
    )
    const other = {
      specificationVersion: "v3" as const,
      provider: "p",
      modelId: "m",
      supportedUrls: {},
      doGenerate: () => Promise.reject(new Error("not asked")),
      doStream: () => Promise.reject(new Error("not asked"))
    }
    assert.isFalse(AiSdk.make(other).takesFilesInResults)
    assert.isTrue(AiSdk.make(other, { takesFilesInResults: true }).takesFilesInResults)
  })
})
