import { assert, describe, it } from "@effect/vitest"
import type { LanguageModelV3, LanguageModelV3CallOptions, LanguageModelV3StreamPart } from "@ai-sdk/provider"
import { APICallError, UnsupportedFunctionalityError } from "@ai-sdk/provider"
import { Deferred, Effect, Fiber, Logger, Redacted, Stream } from "effect"
import { AiSdk } from "../../../../src/ai-sdk.js"
import { session } from "./Sessions.js"
import { everyWord, failing, parts, passIdleTime, passTime, request, textOf } from "./StepRequests.js"

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: 2, reasoning: undefined }
}

const finish: LanguageModelV3StreamPart = {
  type: "finish",
  usage,
  finishReason: { unified: "stop", raw: "end" }
}

const saying = (text: string): ReadonlyArray<LanguageModelV3StreamPart> => [
  { type: "text-start", id: "t" },
  { type: "text-delta", id: "t", delta: text },
  { type: "text-end", id: "t" }
]

/** A model that was not made by Skein. */
const foreign = (
  doStream: (options: LanguageModelV3CallOptions) => PromiseLike<ReadableStream<LanguageModelV3StreamPart>>,
  modelId = "m-1"
): LanguageModelV3 => ({
  specificationVersion: "v3",
  provider: "acme.chat",
  modelId,
  supportedUrls: {},
  doGenerate: () => Promise.reject(new Error("only streaming is used")),
  doStream: async (options) => ({ stream: await doStream(options) })
})

const streaming = (parts: ReadonlyArray<LanguageModelV3StreamPart>): LanguageModelV3 =>
  foreign(() => Promise.resolve(ReadableStream.from(parts)))

describe("AiSdk.make", () => {
  it.effect("wraps any model of the AI SDK", () =>
    Effect.gen(function* () {
      const asked: Array<LanguageModelV3CallOptions> = []
      const model = AiSdk.make(
        foreign((options) => {
          asked.push(options)
          return Promise.resolve(ReadableStream.from([...saying("hi"), finish]))
        }),
        {
          contextTokens: 1000,
          providerOptions: ({ reasoningEffort = "low" }) => ({ acme: { effort: reasoningEffort } })
        }
      )
      assert.deepStrictEqual([model.provider, model.model, model.contextTokens], ["acme", "m-1", 1000])
      assert.strictEqual(textOf(yield* parts(model, { options: { reasoningEffort: "high" } })), "hi")
      assert.strictEqual(asked[0]?.maxOutputTokens, 500, "half of its context")
      assert.isTrue(asked[0]?.includeRawChunks, "frames without content are signs of life, too")
      assert.deepStrictEqual(asked[0]?.providerOptions, { acme: { effort: "high" } })
    })
  )

  it.effect("passes the metadata of its parts back as provider options", () =>
    Effect.gen(function* () {
      const asked: Array<LanguageModelV3CallOptions> = []
      const model = AiSdk.make(
        foreign((options) => {
          asked.push(options)
          return Promise.resolve(ReadableStream.from([finish]))
        })
      )
      const providerMetadata = { acme: { token: "x" }, broken: "no object" }
      yield* parts(model, {
        view: [
          { role: "user", parts: [{ type: "text", text: "hello" }] },
          {
            role: "assistant",
            parts: [
              { type: "reasoning", text: "hm", providerMetadata },
              { type: "text", text: "a" }
            ]
          }
        ]
      })
      assert.deepStrictEqual(asked[0]?.prompt.at(-1), {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm", providerOptions: { acme: { token: "x" } } },
          { type: "text", text: "a" }
        ]
      })
    })
  )

  it.effect("aborts and cancels a stream that is interrupted", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<AbortSignal>()
      const cancelled = yield* Deferred.make<void>()
      const model = AiSdk.make(
        foreign(({ abortSignal = AbortSignal.abort() }) => {
          Deferred.unsafeDone(asked, Effect.succeed(abortSignal))
          const cancel = () => Deferred.unsafeDone(cancelled, Effect.void)
          return Promise.resolve(new ReadableStream<LanguageModelV3StreamPart>({ cancel }))
        })
      )
      const fiber = yield* Effect.fork(parts(model))
      const signal = yield* Deferred.await(asked)
      assert.isFalse(signal.aborted)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(signal.aborted)
      yield* Deferred.await(cancelled)
    })
  )

  it.effect("cancels a stream when only its first parts are taken, even if it ignores the abort", () =>
    Effect.gen(function* () {
      let isCancelled = false
      const model = AiSdk.make(
        foreign(() =>
          Promise.resolve(
            new ReadableStream<LanguageModelV3StreamPart>({
              start: (controller) => saying("hi").forEach((part) => controller.enqueue(part)),
              cancel: () => {
                isCancelled = true
              }
            })
          )
        )
      )
      yield* Stream.runDrain(Stream.take(model.step(request()), 1))
      assert.isTrue(isCancelled)
    })
  )

  it.effect("logs which options a model does not support, but not their values", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ annotations, logLevel }) => {
        lines.push([logLevel.label, Object.fromEntries(annotations)])
      })
      const warnings = [
        { type: "unsupported" as const, feature: "seed", details: "no seed 42" },
        { type: "other" as const, message: "nothing to say" }
      ]
      const model = AiSdk.make(streaming([{ type: "stream-start", warnings }, ...saying("hi"), finish]))
      yield* parts(model).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.deepStrictEqual(lines, [["WARN", { model: "acme/m-1", settings: "seed" }]])
    })
  )

  it.effect("does not wait for a model that ignores the abort", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const model = AiSdk.make(
        foreign(() => {
          Deferred.unsafeDone(asked, Effect.void)
          return new Promise(() => undefined)
        })
      )
      const fiber = yield* Effect.fork(parts(model))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("lets the host choose the idle time", () =>
    Effect.gen(function* () {
      const model = AiSdk.make(
        foreign(() => new Promise(() => undefined)),
        { idleTimeout: "3 seconds" }
      )
      const fiber = yield* Effect.fork(failing(model))
      yield* passIdleTime(fiber)
      const { error } = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "silent")
      assert.include(error.detail, "3s")
    })
  )

  it.effect("lets an answer take longer than the idle time, as long as parts keep coming", () =>
    Effect.gen(function* () {
      const slow = Stream.fromIterable([...saying("slow"), ...saying("and"), ...saying("steady"), finish]).pipe(
        Stream.tap(() => Effect.sleep("20 seconds"))
      )
      const runtime = yield* Effect.runtime()
      const model = AiSdk.make(foreign(() => Promise.resolve(Stream.toReadableStreamRuntime(slow, runtime))))
      const fiber = yield* Effect.fork(parts(model))
      yield* passTime(fiber, "5 seconds")
      assert.strictEqual(textOf(yield* Fiber.join(fiber)), "slowandsteady")
    })
  )

  it.effect("cuts an endless answer at the step timeout", () =>
    Effect.gen(function* () {
      const slow = Stream.fromIterable([...Array.from({ length: 20 }, () => saying("on ")).flat(), finish]).pipe(
        Stream.tap(() => Effect.sleep("20 seconds"))
      )
      const runtime = yield* Effect.runtime()
      const answer = foreign(() => Promise.resolve(Stream.toReadableStreamRuntime(slow, runtime)))
      const fiber = yield* Effect.fork(failing(AiSdk.make(answer, { stepTimeout: "90 seconds" })))
      yield* passTime(fiber, "5 seconds")
      const { error } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error.reason, error.detail], ["cut", "the step took longer than 1m 30s"])
    })
  )

  it.effect("a finish without a reason does not finish the step", () =>
    Effect.gen(function* () {
      const model = AiSdk.make(
        streaming([...saying("half"), { type: "finish", usage, finishReason: { unified: "other", raw: undefined } }])
      )
      assert.strictEqual((yield* failing(model)).error.reason, "cut")
    })
  )

  it.effect("leaves out calls that the provider ran itself", () =>
    Effect.gen(function* () {
      const model = AiSdk.make(
        streaming([
          { type: "tool-input-start", id: "s1", toolName: "search", providerExecuted: true },
          { type: "tool-input-delta", id: "s1", delta: "{}" },
          { type: "tool-call", toolCallId: "s1", toolName: "search", input: "{}", providerExecuted: true },
          { type: "tool-call", toolCallId: "c1", toolName: "read", input: "{}" },
          finish
        ])
      )
      const all = yield* parts(model)
      assert.deepStrictEqual(
        all.map((part) => part.type),
        ["call", "finish"]
      )
      assert(all[0]?.type === "call" && all[0].index === 0)
    })
  )

  it.effect("reports an exception of a model without any secret, and its message only if that is the provider's", () =>
    Effect.gen(function* () {
      const secret = "canary-4471b2d09e"
      const throwing = (error: unknown) =>
        AiSdk.make(
          foreign(() => Promise.reject(error)),
          { secrets: [Redacted.make(secret)] }
        )
      const cases: ReadonlyArray<readonly [unknown, string]> = [
        [new TypeError(`"Bearer ${secret}" is an invalid header value`), "rejected"],
        [new UnsupportedFunctionalityError({ functionality: `files ${secret}` }), "rejected"],
        [`a text with ${secret}`, "overloaded"],
        [{ [secret]: secret }, "overloaded"],
        [
          new APICallError({
            message: `no such ${secret}`,
            url: `https://example.test/${secret}`,
            requestBodyValues: { prompt: secret },
            statusCode: 404,
            responseHeaders: { [secret]: secret },
            responseBody: `<p>${secret}</p>`,
            data: { secret }
          }),
          "rejected"
        ],
        [
          new APICallError({
            message: "Cannot connect to API",
            cause: new Error(secret),
            url: secret,
            requestBodyValues: secret,
            isRetryable: true
          }),
          "unreachable"
        ]
      ]
      const { error } = yield* failing(throwing(new Error("said in private")))
      assert.strictEqual(error.detail, "Error")
      const told = new APICallError({
        message: "said in private",
        url: "https://example.test",
        requestBodyValues: {},
        statusCode: 404,
        responseBody: JSON.stringify({ error: { message: `no model for ${secret}` } })
      })
      assert.strictEqual((yield* failing(throwing(told))).error.detail, "no model for [redacted]")
      for (const [thrown, reason] of cases) {
        const { cause, error } = yield* failing(throwing(thrown))
        assert.strictEqual(error.reason, reason)
        assert.notInclude(everyWord(error, cause), secret)
      }
    })
  )

  it.effect("redacts what looks like a key, even if it is not among the secrets", () =>
    Effect.gen(function* () {
      const key = "sk-proj-0123456789abcdefABCDEF"
      const { error } = yield* failing(AiSdk.make(foreign(() => Promise.reject(`Incorrect API key: ${key}`))))
      assert.strictEqual(error.detail, "Incorrect API key: [redacted]")
    })
  )
})

describe("AiSdk.models", () => {
  const acme = (name: string) => foreign(() => Promise.resolve(ReadableStream.from([finish])), name)
  const named = (model: string) => session({ model: { provider: "acme", model } })

  it.effect("serves its model, and other models only with a function that makes them", () =>
    Effect.gen(function* () {
      const refusing = yield* AiSdk.models(acme("m-1"))
      assert.strictEqual((yield* refusing.resolve(session())).model, "m-1")
      assert.strictEqual((yield* refusing.resolve(named("m-1"))).model, "m-1")
      assert.strictEqual((yield* Effect.flip(refusing.resolve(named("m-2")))).model, "acme/m-2")
      const open = yield* AiSdk.models(acme("m-1"), { others: acme })
      assert.strictEqual((yield* open.resolve(named("m-2"))).model, "m-2")
    })
  )
})
