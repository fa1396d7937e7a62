/** The form of an answer, as it goes over the wire to the vendors that hold their models to it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { Run } from "skein"
import { AiSdk } from "../../../../src/ai-sdk.js"
import { Anthropic } from "../../../../src/anthropic.js"
import type { JsonRecord } from "../../../../src/domain/Json.js"
import * as OutputSchema from "../../../../src/adapters/providers/OutputSchema.js"
import { ChatCompletions, OpenAi } from "../../../../src/openai.js"
import type { Model } from "../../../../src/services/Model.js"
import * as FakeProvider from "./FakeProvider.js"
import { at, parts } from "./StepRequests.js"

const apiKey = Redacted.make("canary")
const baseUrl = "http://127.0.0.1:1"

const Review = Schema.Struct({
  verdict: Schema.Literal("good", "bad"),
  notes: Schema.Array(Schema.NonEmptyString.annotations({ description: "one line" }))
})

const lookTool = { name: "look", description: "looks", inputSchema: { type: "object", properties: {} } }

const sent = Effect.fnUntraced(function* (of: (baseUrl: string) => Model, answer: FakeProvider.Answer) {
  const fake = yield* FakeProvider.make
  yield* fake.answer(answer)
  yield* parts(of(fake.url), { tools: [lookTool], output: yield* Run.output(Review) })
  return yield* fake.take
})

const strict = {
  type: "object",
  properties: {
    verdict: { type: "string", enum: ["good", "bad"] },
    notes: {
      type: "array",
      items: { type: "string", title: "nonEmptyString", description: "one line; minLength: 1" }
    }
  },
  required: ["verdict", "notes"],
  additionalProperties: false
}

describe("the form of an answer", () => {
  it.scoped("is sent to OpenAI as a strict format, next to the tools", () =>
    Effect.gen(function* () {
      const { body } = yield* sent(
        (baseUrl) => OpenAi.make({ apiKey, baseUrl, model: "gpt-5" }),
        FakeProvider.responses({ text: "{}" })
      )
      assert.deepStrictEqual(at(body, "text", "format"), {
        type: "json_schema",
        strict: true,
        name: "response",
        schema: strict
      })
      assert.strictEqual(at(body, "tools", 0, "name"), "look")
    })
  )

  it.scoped("is sent to Anthropic as an output format, not as a forced call of a tool", () =>
    Effect.gen(function* () {
      for (const model of ["claude-sonnet-4-5", "claude-sonnet-4-9"]) {
        const { body, headers } = yield* sent(
          (baseUrl) => Anthropic.make({ apiKey, baseUrl, model }),
          FakeProvider.anthropic({ text: "{}" })
        )
        const format = at(body, "output_config", "format")
        assert.strictEqual(at(format, "type"), "json_schema")
        assert.deepStrictEqual(at(format, "schema", "required"), ["verdict", "notes"])
        assert.strictEqual(at(format, "schema", "additionalProperties"), false)
        assert.strictEqual(at(body, "tools", 0, "name"), "look")
        assert.isUndefined(at(body, "tools", 1))
        assert.notStrictEqual(at(body, "tool_choice", "type"), "any")
        assert.isUndefined(headers["anthropic-beta"])
      }
    })
  )

  it.scoped("is sent to a chat completions server as a response format", () =>
    Effect.gen(function* () {
      const { body } = yield* sent(
        (baseUrl) => ChatCompletions.make({ name: "chat", baseUrl, model: "small", takesOutput: true }),
        FakeProvider.chat({ text: "{}" })
      )
      assert.deepStrictEqual(at(body, "response_format"), {
        type: "json_schema",
        json_schema: { schema: strict, strict: true, name: "response" }
      })
    })
  )

  it.effect("is supported by the vendors' own servers for models that know it, and where a host says so", () =>
    Effect.gen(function* () {
      const form = yield* Run.output(Review)
      const chat = { name: "chat", baseUrl, model: "small" }
      const claude = (model: string, more = {}) => Anthropic.make({ apiKey, model, ...more })
      const models = [
        claude("claude-sonnet-4-5"),
        claude("claude-opus-4-1"),
        claude("claude-opus-4-1-20250805"),
        claude("claude-sonnet-4-0"),
        claude("claude-3-7-sonnet-latest"),
        claude("claude-sonnet-4-5", { baseUrl }),
        OpenAi.make({ apiKey, model: "gpt-5" }),
        OpenAi.make({ apiKey, baseUrl, model: "gpt-5" }),
        ChatCompletions.make(chat),
        ChatCompletions.make({ ...chat, takesOutput: true })
      ]
      assert.deepStrictEqual(
        models.map(({ takesOutput }) => takesOutput?.(form) === true),
        [true, true, true, false, false, false, true, false, false, true]
      )
    })
  )

  it("is supported by an AI SDK model if its host says so", () => {
    const languageModel = {
      specificationVersion: "v3" as const,
      provider: "p",
      modelId: "m",
      supportedUrls: {},
      doGenerate: () => Promise.reject(new Error("not here")),
      doStream: () => Promise.reject(new Error("not here"))
    }
    const takes = (options: { readonly takesOutput?: boolean }) =>
      AiSdk.make(languageModel, options).takesOutput?.({ type: "object" })
    assert.deepStrictEqual([takes({}), takes({ takesOutput: true })], [false, true])
  })
})

const formOf = <A, I>(schema: Schema.Schema<A, I>): Effect.Effect<JsonRecord> => Effect.orDie(Run.output(schema))

interface Tree {
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  children: Schema.Array(Schema.suspend(() => Tree))
}).annotations({ identifier: "Tree" })

class Named extends Schema.Class<Named>("Named")({ name: Schema.String }) {}

describe("an output schema", () => {
  for (const [what, form, openAi, anthropic] of [
    ["closed objects with only required fields", formOf(Review), true, true],
    ["an optional field", formOf(Schema.Struct({ a: Schema.optional(Schema.String) })), false, true],
    ["a nullable field", formOf(Schema.Struct({ a: Schema.NullOr(Schema.Int) })), true, true],
    [
      "arbitrary fields",
      formOf(Schema.Struct({ a: Schema.Record({ key: Schema.String, value: Schema.Int }) })),
      false,
      false
    ],
    ["a value of any type", formOf(Schema.Struct({ a: Schema.Unknown })), false, false],
    ["a tuple", formOf(Schema.Struct({ a: Schema.Tuple(Schema.Int, Schema.Int) })), false, false],
    ["a named schema", formOf(Schema.Struct({ a: Named, b: Named })), true, true],
    ["a recursive schema", formOf(Schema.Struct({ a: Tree })), true, false],
    ["a union", formOf(Schema.Struct({ a: Schema.Union(Named, Schema.Struct({ c: Schema.Date })) })), true, true]
  ] as const) {
    it.effect(
      `with ${what} is ${openAi ? "supported" : "refused"} by OpenAI, ${anthropic ? "supported" : "refused"} by Anthropic`,
      () =>
        Effect.map(form, (schema) =>
          assert.deepStrictEqual(
            [OutputSchema.forOpenAi(schema) !== null, OutputSchema.forAnthropic(schema) !== null],
            [openAi, anthropic]
          )
        )
    )
  }

  it("may hold at most ten optional fields for Anthropic", () => {
    const form = (count: number) => ({
      type: "object",
      properties: Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, { type: "string" }])),
      additionalProperties: false
    })
    assert.isNotNull(OutputSchema.forAnthropic(form(10)))
    assert.isNull(OutputSchema.forAnthropic(form(11)))
  })
})
