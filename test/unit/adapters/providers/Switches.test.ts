/**
 * P7: a session switches from any model to any other and back, between turns and in the middle of one. The services are
 * strict fakes: they refuse what the real ones refuse, and any thinking that is not their model's own.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Model, Tool } from "skein"
import { Anthropic } from "../../../../src/anthropic.js"
import type { ModelRef } from "../../../../src/domain/ModelRef.js"
import { ChatCompletions, OpenAi } from "../../../../src/openai.js"
import { complaintsOfBody } from "../../../support/verdicts/wireRules.js"
import { ground } from "../../services/runtime/engines.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { at } from "./StepRequests.js"

const apiKey = Redacted.make("canary")

const names = [
  "anthropic/claude-sonnet-4-5",
  "anthropic/claude-fable-5-1",
  "anthropic/claude-3-haiku-20240307",
  "openai/gpt-5",
  "openai/gpt-4.1",
  "chat/small"
] as const

const refOf = (name: string): ModelRef => {
  const [provider = "", model = ""] = name.split("/")
  return { provider, model, options: { reasoningEffort: "low", stop: ["\n\n\n"] } }
}

const modelOf = (baseUrl: string, { model, provider }: ModelRef): Model.Model => {
  if (provider === "anthropic") return Anthropic.make({ apiKey, baseUrl, model })
  return provider === "openai"
    ? OpenAi.make({ apiKey, baseUrl, model })
    : ChatCompletions.make({ name: "chat", baseUrl, model })
}

const anthropicAnswer = (signature: string, asks: boolean): FakeProvider.Answer =>
  FakeProvider.sse([
    Frames.anthropicStart(),
    ...Frames.anthropicBlock(0, { type: "thinking", thinking: "" }, [
      { type: "thinking_delta", thinking: "hm" },
      { type: "signature_delta", signature }
    ]),
    ...(asks
      ? Frames.anthropicBlock(1, { type: "tool_use", id: "call_1", name: "look", input: {} }, [])
      : Frames.anthropicBlock(1, { type: "text", text: "" }, [{ type: "text_delta", text: "so" }])),
    ...Frames.anthropicStop(asks ? "tool_use" : "end_turn", 1)
  ])

const calling = { calls: [{ name: "look", input: {} }] }
const saying = { text: "so" }

/** The ids of OpenAI's items are unique across all answers. */
const withOwnIds = (answer: FakeProvider.Answer, number: number): FakeProvider.Answer => ({
  ...answer,
  chunks: answer.chunks.map((chunk) =>
    typeof chunk === "string" ? chunk.replace(/"(rs|msg|fc)_(\d)"/gu, `"$1_${number}_$2"`) : chunk
  )
})

/** Answers as the requested model: it thinks if it can, and asks for one call per turn. */
const respond = ({ body, path, text }: FakeProvider.Received): FakeProvider.Answer => {
  const model = String(at(body, "model"))
  const foreign = [...text.matchAll(/"signature":"([^"]*)"/gu)].find(([, signature]) => signature !== model)
  const complaint = complaintsOfBody(path, body)[0] ?? (foreign === undefined ? undefined : "another's thinking")
  if (complaint !== undefined) return FakeProvider.failure(400, { message: complaint, type: "invalid_request_error" })
  const messages = at(body, path.endsWith("/responses") ? "input" : "messages")
  const last = JSON.stringify(Array.isArray(messages) ? messages.at(-1) : null)
  const asks = !/tool_result|function_call_output|"role":"tool"/u.test(last)
  const step = asks ? calling : saying
  if (path.endsWith("/chat/completions")) return FakeProvider.chat(step)
  if (path.endsWith("/messages")) {
    return model.includes("claude-3-haiku") ? FakeProvider.anthropic(step) : anthropicAnswer(model, asks)
  }
  return FakeProvider.responses(model.startsWith("gpt-4") ? step : { reasoning: "hm", ...step })
}

for (const from of names) {
  for (const to of names) {
    it.scoped(`P7 from ${from} to ${to} and back, between turns and within one`, () =>
      Effect.gen(function* () {
        let count = 0
        const fake = yield* FakeProvider.answering((request) => withOwnIds(respond(request), ++count))
        const { open } = yield* ground
        let duringCall: Effect.Effect<unknown, unknown> = Effect.void
        const look = Tool.dynamic("look", { description: "looks", inputSchema: {} }).handle(() =>
          Effect.as(
            Effect.suspend(() => duringCall),
            "seen"
          )
        )
        const { gateway, send, session } = yield* open("a", {
          models: Model.resolve(({ model }) => Effect.succeed(modelOf(fake.url, model ?? refOf(from)))),
          tools: [look],
          config: { modelAttempts: 1 },
          system: "Be brief."
        })
        const { id } = yield* session({ model: refOf(from) })
        const expectAnswer = Effect.gen(function* () {
          const { detail, stopReason } = yield* gateway.await(yield* send(id, "go"))
          expect({ detail, stopReason }).toEqual({ detail: null, stopReason: "completed" })
        })
        yield* expectAnswer
        yield* gateway.patch({ sessionId: id, model: refOf(to) })
        yield* expectAnswer
        yield* gateway.patch({ sessionId: id, model: refOf(from) })
        duringCall = gateway.patch({ sessionId: id, model: refOf(to) })
        yield* expectAnswer
        duringCall = Effect.void
        yield* expectAnswer
        expect(count).toBe(8)
      })
    )
  }
}
