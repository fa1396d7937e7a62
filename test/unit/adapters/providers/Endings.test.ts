/** How an answer ends, where a vendor has terms of its own for it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Model } from "skein"
import { Anthropic } from "../../../../src/anthropic.js"
import { OpenAi } from "../../../../src/openai.js"
import { ground } from "../../services/runtime/engines.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { parts } from "./StepRequests.js"

const apiKey = Redacted.make("canary-endings")

const claude = (baseUrl: string) => Anthropic.make({ apiKey, baseUrl, model: "claude-sonnet-4-5" })

describe("the end of an answer", () => {
  it.scoped("Anthropic: pause_turn finishes the step as paused", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { deltas } = Frames.anthropic({ text: "searching" })
      yield* fake.answer(FakeProvider.sse([...deltas, ...Frames.anthropicStop("pause_turn", 1)]))
      const last = (yield* parts(claude(fake.url))).at(-1)
      assert(last?.type === "finish")
      assert.strictEqual(last.reason, "paused")
    })
  )

  it.scoped("P4 always sendable: a refused turn is not sent again, because what follows would be refused too", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.answering(({ text }) =>
        FakeProvider.anthropic(text.includes("forbidden") ? { text: "I", finish: "content-filter" } : { text: "fine" })
      )
      const { gateway, send, session } = yield* (yield* ground).open("a", { models: Model.always(claude(fake.url)) })
      const { id } = yield* session()
      const ends: Array<string | null> = []
      for (const text of ["hello", "something forbidden", "something else"]) {
        ends.push((yield* gateway.await(yield* send(id, text))).stopReason)
      }
      assert.deepStrictEqual(ends, ["completed", "refused", "completed"])
      const last = (yield* fake.received).at(-1)
      assert.include(last?.text, "hello")
      assert.include(last?.text, "something else")
    })
  )

  it.scoped("OpenAI: an incomplete answer finishes as cut by length, whatever the reason", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { deltas } = Frames.responses({ text: "half" })
      const reason = { usage: { input_tokens: 1, output_tokens: 1 }, incomplete_details: { reason: "max_tool_calls" } }
      yield* fake.answer(FakeProvider.sse([...deltas, Frames.event("response.incomplete", { response: reason })]))
      const streamed = yield* parts(OpenAi.make({ apiKey, model: "gpt-5", baseUrl: fake.url }))
      const last = streamed.at(-1)
      assert(last?.type === "finish")
      assert.strictEqual(last.reason, "length")
    })
  )

  it.scoped("an answer with too much in one of its frames counts as cut, before anything reads the frame", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = Frames.anthropic({ text: "much" })
      const many = (values: number) => Frames.event("ping", { a: Array.from({ length: values }, () => 0) })
      yield* fake.answer(FakeProvider.sse([...deltas, many(90_000), many(90_000), ...closing]))
      assert.strictEqual((yield* parts(claude(fake.url))).at(-1)?.type, "finish")
      yield* fake.answer(FakeProvider.sse([...deltas, many(100_001), ...closing]))
      assert.deepInclude(yield* Effect.flip(parts(claude(fake.url))), { _tag: "ModelFailed", reason: "cut" })
    })
  )
})
