/** What of an answer counts as a sign of life. */
import { assert, it } from "@effect/vitest"
import type { LanguageModelV3 } from "@ai-sdk/provider"
import { Clock, Deferred, Effect, Fiber, Queue, TestClock } from "effect"
import * as Step from "../../../../src/adapters/providers/Step.js"
import * as Vendor from "../../../../src/adapters/providers/Vendor.js"
import * as FakeProvider from "./FakeProvider.js"
import { failing } from "./StepRequests.js"

/** A model whose package finds no part in the answer's bytes. */
const finding = (fetch: Vendor.Fetch, url: string, onRead: () => void): LanguageModelV3 => ({
  specificationVersion: "v3",
  provider: "acme",
  modelId: "m",
  supportedUrls: {},
  doGenerate: () => Promise.reject(new Error("only streaming is used")),
  doStream: async ({ abortSignal }) => {
    const { body } = await fetch(url, abortSignal === undefined ? {} : { signal: abortSignal })
    if (body === null) throw new Error("an answer was expected")
    return { stream: body.pipeThrough(new TransformStream({ transform: onRead })) }
  }
})

it.scoped(
  "bytes without a part, such as comments, keep a step alive; after them it may be silent as long as ever",
  () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const read = yield* Queue.unbounded<null>()
      const gates = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      yield* fake.answer(
        FakeProvider.sse(
          gates.flatMap((gate) => [Deferred.await(gate), ": PROCESSING\n\n"]),
          { end: "silence" }
        )
      )
      const model = Step.model(
        Vendor.make(
          { provider: "acme", model: "m" },
          { idleTimeout: "2 minutes" },
          { load: (fetch) => Promise.resolve(finding(fetch, fake.url, () => read.unsafeOffer(null))) }
        )
      )
      const fiber = yield* Effect.fork(Effect.zip(failing(model), Clock.currentTimeMillis))
      yield* fake.take
      for (const gate of gates) {
        yield* TestClock.adjust("90 seconds")
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.raceFirst(Queue.take(read), Fiber.await(fiber))
      }
      yield* TestClock.adjust("2 minutes")
      const [{ error }, failedAt] = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "silent")
      assert.strictEqual(failedAt, 300_000)
    })
)
