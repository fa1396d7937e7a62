/** One step over real sockets, in each protocol: what arrives, how it breaks, and that it can be stopped. */
import { assert, describe, it } from "@effect/vitest"
import { gzipSync } from "node:zlib"
import { Deferred, Effect, Fiber, Redacted, Stream, TestClock } from "effect"
import * as Anthropic from "../../../../src/adapters/providers/Anthropic.js"
import * as ChatCompletions from "../../../../src/adapters/providers/ChatCompletions.js"
import * as OpenAi from "../../../../src/adapters/providers/OpenAi.js"
import type { ServerSettings } from "../../../../src/adapters/providers/Settings.js"
import type { Script } from "../../../../src/domain/Script.js"
import type { Model } from "../../../../src/services/Model.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { everyWord, failing, parts, passIdleTime, request, textOf } from "./StepRequests.js"

type Step = Script[number]

const canary = "canary-7f3a9c51e0"
const apiKey = Redacted.make(canary)

interface Protocol {
  readonly name: string
  readonly model: (baseUrl: string, settings?: ServerSettings & { readonly apiKey?: Redacted.Redacted }) => Model
  readonly frames: (step: Step) => Frames.Frames
  readonly answer: (step: Step) => FakeProvider.Answer
  readonly errorFrame: (message: string) => string
}

const protocols: ReadonlyArray<Protocol> = [
  {
    name: "chat completions",
    model: (baseUrl, settings) => ChatCompletions.make({ name: "local", model: "small", apiKey, ...settings, baseUrl }),
    frames: Frames.chat,
    answer: FakeProvider.chat,
    errorFrame: (message) => Frames.data({ error: { message, type: "overloaded" } })
  },
  {
    name: "Anthropic",
    model: (baseUrl, settings) => Anthropic.make({ model: "claude-sonnet-4-5", apiKey, ...settings, baseUrl }),
    frames: Frames.anthropic,
    answer: FakeProvider.anthropic,
    errorFrame: (message) => Frames.event("error", { error: { type: "overloaded_error", message } })
  },
  {
    name: "OpenAI responses",
    model: (baseUrl, settings) => OpenAi.make({ model: "gpt-5", apiKey, ...settings, baseUrl }),
    frames: Frames.responses,
    answer: FakeProvider.responses,
    errorFrame: (message) =>
      Frames.event("error", { sequence_number: 1, code: "server_is_overloaded", message, param: null })
  }
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe.each(protocols)("a step by $name", ({ answer, errorFrame, frames, model }) => {
  it.scoped("streams reasoning, text and calls, each whole, then the finish", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(
        answer({
          reasoning: ["Let me ", "see."],
          text: ["Read", "ing."],
          calls: [
            { name: "read", input: { path: "a" } },
            { name: "grep", input: { for: "b" } }
          ],
          usage: { inputTokens: 12, outputTokens: 7, cachedInputTokens: 3, reasoningTokens: 2 }
        })
      )
      const all = yield* parts(model(fake.url))
      assert.strictEqual(textOf(all), "Reading.")
      assert.strictEqual(all.map((part) => (part.type === "reasoning" ? part.delta : "")).join(""), "Let me see.")
      assert.deepStrictEqual(
        all.flatMap((part) => (part.type === "call" ? [[part.index, part.name, part.input, part.providerCallId]] : [])),
        [
          [0, "read", `{"path":"a"}`, "call_1"],
          [1, "grep", `{"for":"b"}`, "call_2"]
        ]
      )
      for (const index of [0, 1]) {
        const deltas = all.filter((part) => part.type === "call.delta" && part.index === index)
        assert.strictEqual(
          deltas.map((part) => (part.type === "call.delta" ? part.delta : "")).join(""),
          index === 0 ? `{"path":"a"}` : `{"for":"b"}`
        )
      }
      const last = all.at(-1)
      assert(last?.type === "finish")
      assert.strictEqual(last.reason, "tool-calls")
      assert.strictEqual(last.usage.outputTokens, 7)
      assert.strictEqual(last.usage.cachedInputTokens, 3)
      assert.strictEqual(all.filter((part) => part.type === "finish").length, 1)
    })
  )

  it.scoped("keeps the raw input of a call that was cut by the token limit", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(answer({ calls: [{ name: "write", input: `{"path":"a","te` }], finish: "length" }))
      const all = yield* parts(model(fake.url))
      assert(all.some((part) => part.type === "call" && part.input === `{"path":"a","te`))
      assert(all.some((part) => part.type === "finish" && part.reason === "length"))
    })
  )

  it.scoped("joins a character that comes in halves", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const gate = yield* Deferred.make<void>()
      const { closing, deltas } = frames({ text: ["naïve 🙂"] })
      const whole = bytes(deltas.join(""))
      const middle = whole.indexOf(0x9f) // inside the emoji
      yield* fake.answer(
        FakeProvider.sse([whole.slice(0, middle), Deferred.await(gate), whole.slice(middle), ...closing])
      )
      const fiber = yield* Effect.fork(parts(model(fake.url)))
      yield* fake.take
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(textOf(yield* Fiber.join(fiber)), "naïve 🙂")
    })
  )

  it.scoped("a socket cut in the middle of a token fails the step as cut, after the parts that had arrived", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { deltas } = frames({ text: ["half a ", "to"] })
      const broken = bytes(deltas.join("")).slice(0, -9)
      yield* fake.answer(FakeProvider.sse([broken], { end: "cut" }))
      const { error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "cut")
      assert.isTrue(error.isRetryable)
      yield* fake.answer(answer({ text: ["half a ", "to"], failure: { reason: "cut" } }))
      const { arrived, error: again } = yield* failing(model(fake.url))
      assert.strictEqual(again.reason, "cut")
      assert.strictEqual(textOf(arrived), "half a to")
    })
  )

  it.scoped("a stream that ends cleanly without a finish fails as cut", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.sse(frames({ text: "and then" }).deltas))
      const { arrived, error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "cut")
      assert.strictEqual(textOf(arrived), "and then")
    })
  )

  it.scoped("a server that falls silent fails as silent after the idle time, and its connection is closed", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const arrived = yield* Deferred.make<void>()
      yield* fake.answer(answer({ text: ["one", "two"], hang: true }))
      const fiber = yield* model(fake.url)
        .step(request())
        .pipe(
          Stream.tap((part) =>
            part.type === "text" && part.delta === "two" ? Deferred.succeed(arrived, undefined) : Effect.void
          ),
          Stream.runDrain,
          Effect.flip,
          Effect.fork
        )
      const received = yield* fake.take
      yield* Deferred.await(arrived)
      yield* passIdleTime(fiber)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "silent")
      assert.isTrue(error.isRetryable)
      yield* received.closed
    })
  )

  it.scoped("a server that says nothing at all fails as silent", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.sse([], { end: "silence" }))
      const fiber = yield* Effect.fork(failing(model(fake.url)))
      const received = yield* fake.take
      yield* passIdleTime(fiber)
      assert.strictEqual((yield* Fiber.join(fiber)).error.reason, "silent")
      yield* received.closed
    })
  )

  it.scoped("interrupting closes the request at once, while text streams", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const arrived = yield* Deferred.make<void>()
      yield* fake.answer(answer({ text: "never ending", hang: true }))
      const fiber = yield* model(fake.url)
        .step(request())
        .pipe(
          Stream.tap((part) => (part.type === "text" ? Deferred.succeed(arrived, undefined) : Effect.void)),
          Stream.runDrain,
          Effect.fork
        )
      const received = yield* fake.take
      yield* Deferred.await(arrived)
      assert.isFalse(yield* received.isClosed)
      yield* Fiber.interrupt(fiber)
      yield* received.closed
    })
  )

  it.scoped("interrupting closes the request at once, before anything came", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.sse([], { end: "silence" }))
      const fiber = yield* Effect.fork(parts(model(fake.url)))
      const received = yield* fake.take
      yield* Fiber.interrupt(fiber)
      yield* received.closed
    })
  )

  it.scoped("taking only the first parts closes the request", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(answer({ text: ["one", "two"], hang: true }))
      yield* Stream.runDrain(Stream.take(model(fake.url).step(request()), 1))
      yield* (yield* fake.take).closed
    })
  )

  it.scoped("429 is rate-limited and says how long to wait", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const headers: ReadonlyArray<readonly [Record<string, string>, number | null]> = [
        [{ "retry-after": "2" }, 2000],
        [{ "retry-after-ms": "150" }, 150],
        [{ "retry-after": "1e9" }, 3_600_000],
        [{}, null]
      ]
      for (const [header, expected] of headers) {
        yield* fake.answer(
          FakeProvider.failure(429, { message: "slow down", type: "rate_limit_error", headers: header })
        )
        const { error } = yield* failing(model(fake.url))
        assert.strictEqual(error.reason, "rate-limited")
        assert.strictEqual(error.status, 429)
        assert.strictEqual(error.retryAfterMillis, expected)
        assert.strictEqual(error.detail, "slow down")
      }
      assert.strictEqual((yield* fake.received).length, headers.length, "nothing is retried here")
    })
  )

  it.scoped("other statuses are mapped to a reason", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const expected = {
        400: "rejected",
        401: "unauthorized",
        403: "unauthorized",
        404: "rejected",
        500: "overloaded",
        503: "overloaded",
        529: "overloaded"
      } as const
      for (const [status, reason] of Object.entries(expected)) {
        yield* fake.answer(FakeProvider.failure(Number(status)))
        const { error } = yield* failing(model(fake.url))
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.status, Number(status))
      }
    })
  )

  it.scoped("an error frame after some text fails the step with its message", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.sse([...frames({ text: "so far" }).deltas, errorFrame("too busy")]))
      const { arrived, error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "overloaded")
      assert.strictEqual(error.detail, "too busy")
      assert.strictEqual(textOf(arrived), "so far")
    })
  )

  it.scoped("an error frame before anything else fails the step with its message", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.sse([errorFrame("too busy")]))
      const { error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "overloaded")
      assert.strictEqual(error.detail, "too busy")
    })
  )

  it.scoped("an error frame, then silence: the error is reported, not the silence", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const arrived = yield* Deferred.make<void>()
      yield* fake.answer(
        FakeProvider.sse([...frames({ text: "so far" }).deltas, errorFrame("too busy")], { end: "silence" })
      )
      const fiber = yield* model(fake.url)
        .step(request())
        .pipe(
          Stream.tap((part) => (part.type === "text" ? Deferred.succeed(arrived, undefined) : Effect.void)),
          Stream.runDrain,
          Effect.flip,
          Effect.fork
        )
      yield* Deferred.await(arrived)
      yield* passIdleTime(fiber)
      assert.strictEqual((yield* Fiber.join(fiber)).detail, "too busy")
    })
  )

  it.scoped("a frame that is not JSON fails the step as malformed, even if a finish follows", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { closing, deltas } = frames({ text: "lost: " })
      yield* fake.answer(FakeProvider.sse([...deltas, `data: {"secret thought\n\n`, ...closing]))
      const { error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "malformed")
      assert.notInclude(error.message, "secret thought")
    })
  )

  it.scoped("a page of HTML with status 200 is malformed", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(FakeProvider.whole(200, "text/html", "<html><body>Sign in</body></html>"))
      const { error } = yield* failing(model(fake.url))
      assert.strictEqual(error.reason, "malformed")
      assert.include(error.detail, "text/html")
    })
  )

  it.scoped("a port without a listener is unreachable", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(Effect.map(FakeProvider.make, (fake) => fake.url))
      const { error } = yield* failing(model(url))
      assert.strictEqual(error.reason, "unreachable")
      assert.isNull(error.status)
    })
  )

  it.scoped("a redirect is not followed: the key stays here", () =>
    Effect.gen(function* () {
      const [here, elsewhere] = [yield* FakeProvider.make, yield* FakeProvider.make]
      yield* here.answer(FakeProvider.whole(307, "text/plain", "", { location: elsewhere.url }))
      const { error } = yield* failing(model(here.url))
      assert.strictEqual(error.reason, "rejected")
      assert.strictEqual(error.status, 307)
      assert.deepStrictEqual(yield* elsewhere.received, [])
    })
  )

  it.scoped("no failure quotes a header, redacted or not", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const headers = { "x-plain": "tenant42", "x-sealed": Redacted.make("tenant42-9f8e7d6c5b") }
      yield* fake.answer(FakeProvider.failure(400, { message: "tenant42 and tenant42-9f8e7d6c5b are unknown" }))
      const { cause, error } = yield* failing(model(fake.url, { headers }))
      assert.notInclude(everyWord(error, cause), "tenant42")
      assert.notInclude(everyWord(error, cause), "9f8e7d6c5b")
      assert.strictEqual((yield* fake.take).headers["x-sealed"], "tenant42-9f8e7d6c5b", "the header was sent")
    })
  )

  it.scoped("a key or header that cannot be sent fails the step before any request, and is not quoted", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      for (const settings of [
        { apiKey: Redacted.make(`${canary}\n${canary}`) },
        { apiKey: Redacted.make(`${canary}😀`) },
        { headers: { "x-team": `${canary}\r\nhost: elsewhere` } }
      ]) {
        const { cause, error } = yield* failing(model(fake.url, settings))
        assert.strictEqual(error.reason, "unauthorized")
        assert.include(error.detail, "cannot be sent")
        assert.notInclude(everyWord(error, cause), canary)
      }
      assert.deepStrictEqual(yield* fake.received, [])
    })
  )

  it.effect("an address or a header's name that no request can have is said to be that, and not quoted", () =>
    Effect.gen(function* () {
      const secret = "hunter2-9f8e"
      for (const [url, settings, words] of [
        [`localhost:11434/${secret}`, {}, "its base URL must be an http or https URL"],
        [`//127.0.0.1/${secret}`, {}, "its base URL must be"],
        [`http://me:${secret}@127.0.0.1:1/v1`, {}, "without user name and password"],
        ["http://127.0.0.1:1/v1", { headers: { [`x ${secret}`]: "a" } }, "the name of one of its headers has a blank"]
      ] as const) {
        const { cause, error } = yield* failing(model(url, settings))
        assert.include(error.detail, words)
        assert.isFalse(error.isRetryable)
        assert.notInclude(everyWord(error, cause), secret)
      }
    })
  )

  it.scoped("an oversized body is not read to its end nor quoted by the failure, however well it is compressed", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const message = "x".repeat(2 * 1024 * 1024)
      const packed = gzipSync(JSON.stringify({ error: { message, type: "invalid_request_error" } }))
      assert.isBelow(packed.length, 100_000)
      for (const [status, type] of [
        [400, "application/json"],
        [503, "text/event-stream"],
        [200, "application/json"]
      ] as const) {
        yield* fake.answer({
          status,
          headers: { "content-type": type, "content-encoding": "gzip" },
          chunks: [packed],
          end: "silence"
        })
        assert.notInclude((yield* failing(model(fake.url))).error.detail, "xxx")
        yield* (yield* fake.take).closed
      }
    })
  )

  it.scoped("a step ends at its timeout, however busy the server is", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const { deltas } = frames({ text: Array.from({ length: 20 }, () => "tick ") })
      const gates = yield* Effect.forEach(deltas, () => Deferred.make<void>())
      const chunks = deltas.flatMap((delta, index) => {
        const gate = gates[index]
        return gate === undefined ? [delta] : [delta, Deferred.await(gate)]
      })
      yield* fake.answer(FakeProvider.sse(chunks, { end: "silence" }))
      const fiber = yield* Effect.fork(failing(model(fake.url, { stepTimeout: "10 minutes" })))
      yield* fake.take
      for (const gate of gates) {
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("1 minute")
      }
      yield* passIdleTime(fiber)
      const { error } = yield* Fiber.join(fiber)
      assert.strictEqual(error.detail, "the step took longer than 10m")
      assert.strictEqual(error.reason, "cut")
    })
  )

  it.scoped("no failure quotes the key, however the server returns it", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const echo = `key ${canary} of Bearer ${canary}\n\u001b[31m(${encodeURIComponent(canary)})`
      yield* fake.answer(
        FakeProvider.failure(401, { message: echo }),
        FakeProvider.failure(429, { message: echo, headers: { "x-echo": canary } }),
        FakeProvider.failure(500, { message: echo, type: canary }),
        FakeProvider.whole(400, "application/json", JSON.stringify({ detail: echo })),
        FakeProvider.whole(502, "text/html", echo),
        FakeProvider.whole(200, "text/html", echo),
        FakeProvider.sse([errorFrame(echo)]),
        FakeProvider.sse([...frames({ text: "so far" }).deltas, errorFrame(echo)]),
        FakeProvider.sse([...frames({ text: canary }).deltas, `data: {"${canary}\n\n`]),
        FakeProvider.sse([`data: {"${canary}\n\n`]),
        FakeProvider.sse([Frames.data({ type: canary, key: canary })]),
        answer({ text: canary, failure: { reason: "cut" } })
      )
      for (let index = 0; index < 12; index++) {
        const { cause, error } = yield* failing(model(fake.url))
        const words = everyWord(error, cause)
        assert.notInclude(words, canary, `answer ${index}`)
        assert.notMatch(error.detail, /\p{C}/u)
        assert.isAtMost(Array.from(error.detail).length, 300)
      }
      assert.strictEqual((yield* fake.received).length, 12)
      assert.include(JSON.stringify((yield* fake.received)[0]?.headers), canary, "the key was sent")
    })
  )
})
