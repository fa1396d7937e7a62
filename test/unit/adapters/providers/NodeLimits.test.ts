import { assert, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import { ChatCompletions } from "../../../../src/openai.js"
import * as FakeProvider from "./FakeProvider.js"
import { at, parts, textOf } from "./StepRequests.js"

const place = Symbol.for("undici.globalDispatcher.1")

/** Puts a dispatcher of the host in front of the process's, which remembers the options of each request. */
const hosts = Effect.acquireRelease(
  Effect.sync(() => {
    // Node makes its own when it first loads its fetch.
    assert.isFunction(globalThis.Request)
    const before: unknown = Reflect.get(globalThis, place)
    const seen: Array<unknown> = []
    assert(Predicate.hasProperty(before, "dispatch"))
    const { dispatch } = before
    assert(Predicate.isFunction(dispatch))
    const dispatcher = {
      dispatch: (options: unknown, handler: unknown): unknown => {
        seen.push(options)
        return Reflect.apply(dispatch, before, [options, handler])
      }
    }
    Reflect.set(globalThis, place, dispatcher)
    return { seen, before }
  }),
  ({ before }) => Effect.sync(() => Reflect.set(globalThis, place, before))
)

it.scoped("a request goes through the process's dispatcher, and only the idle time limits its silence", () =>
  Effect.gen(function* () {
    const fake = yield* FakeProvider.make
    yield* fake.answer(FakeProvider.chat({ text: "hello" }))
    const { seen } = yield* hosts
    const model = ChatCompletions.make({ name: "local", baseUrl: fake.url, model: "m", idleTimeout: "20 minutes" })
    assert.strictEqual(textOf(yield* parts(model)), "hello")
    assert.strictEqual(seen.length, 1)
    assert.strictEqual(at(seen[0], "headersTimeout"), 0)
    assert.strictEqual(at(seen[0], "bodyTimeout"), 0)
  })
)
