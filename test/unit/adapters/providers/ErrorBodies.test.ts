/** What servers say of an error, in the forms that they are known to use. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ContextOverflow from "../../../../src/domain/ContextOverflow.js"
import { ChatCompletions } from "../../../../src/openai.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { failing } from "./StepRequests.js"

const missing = { type: "missing", loc: ["body", "messages", 1, "role"], msg: "Field required", input: "a prompt" }
const openRouter = { message: "Provider returned error", code: 400 }

/** What a failure says of each body. */
const said: ReadonlyArray<readonly [body: unknown, detail: string]> = [
  [{ error: { message: "no such model" } }, "no such model"],
  [{ error: "no such model" }, "no such model"],
  [{ detail: "no such model" }, "no such model"],
  [{ detail: [missing, { msg: "Too much" }] }, "body.messages.1.role: Field required; Too much"],
  [{ object: "error", message: { detail: [missing] }, code: null }, "body.messages.1.role: Field required"],
  [[{ error: { code: 400, message: "API key not valid.", status: "INVALID_ARGUMENT" } }], "API key not valid."],
  [{ error: { ...openRouter, metadata: { raw: "slow down" } } }, "Provider returned error: slow down"],
  [
    { error: { ...openRouter, metadata: { raw: '{"error":{"message":"maximum context length is 4096 tokens"}}' } } },
    "Provider returned error: maximum context length is 4096 tokens"
  ],
  [{ error: { ...openRouter, metadata: { raw: "{}" } } }, "Provider returned error"],
  [
    { error: { message: "Please reduce the length.", type: "invalid_request_error", code: "context_length_exceeded" } },
    "context_length_exceeded: Please reduce the length."
  ],
  [
    { error: { message: "maximum context length is 9 tokens", code: "context_length_exceeded" } },
    "maximum context length is 9 tokens"
  ],
  [{ error: [], message: "no such model" }, "no such model"],
  [{ error: { code: 400 }, detail: [missing] }, "body.messages.1.role: Field required"],
  [{ error: {}, response: { error: { message: "no such model" } } }, "no such model"],
  [{ error: {} }, "Bad Request"],
  [[], "Bad Request"],
  [Array.from({ length: 100 }).reduce((inner: unknown) => ({ error: inner }), "deep"), "Bad Request"]
]

it.scoped("the server's own words are in the detail of a failure, whatever form they have", () =>
  Effect.gen(function* () {
    const fake = yield* FakeProvider.make
    const model = ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "m" })
    for (const [body, detail] of said) {
      yield* fake.answer(FakeProvider.whole(400, "application/json", JSON.stringify(body)))
      const { error } = yield* failing(model)
      assert.strictEqual(error.detail, detail)
      assert.strictEqual(error.reason, "rejected")
      assert.strictEqual(ContextOverflow.read(error.detail) !== null, JSON.stringify(body).includes("context"))
    }
  })
)

it.scoped(
  "a request that did not fit is refused, not overloaded, where the server gives no status or a general one",
  () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const model = ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "m" })
      const message = "The initial prompt is greater than the context length."
      yield* fake.answer(
        FakeProvider.sse([Frames.data({ error: { message } })]),
        FakeProvider.failure(500, { message })
      )
      for (const status of [null, 500]) {
        const { error } = yield* failing(model)
        assert.strictEqual(error.reason, "rejected")
        assert.strictEqual(error.status, status)
        assert.strictEqual(error.detail, message)
      }
    })
)
