import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Predicate, Schema, Struct } from "effect"
import { Entry, Message } from "../../../src/domain/Message.js"
import { Durable, SessionEvent } from "../../../src/domain/SessionEvent.js"
import * as ExactCheck from "../../../src/domain/ExactCheck.js"
import { SessionHint } from "../../../src/domain/SessionHint.js"
import { assistant, result } from "../../../src/adapters/testing/storage/fixture.js"

const { exactly } = ExactCheck
const isExact = exactly(Message)

/** A value as it is stored. */
const stored = <A, I>(schema: Schema.Schema<A, I>) => {
  const encode = Schema.encodeSync(schema)
  return Arbitrary.make(schema).map((value): unknown => JSON.parse(JSON.stringify(encode(value))))
}

/** Changes one value somewhere within, or adds or removes a field. */
const damage = (value: unknown, path: ReadonlyArray<number>, to: unknown): unknown => {
  const [step, ...rest] = path
  if (step === undefined || value === null || typeof value !== "object") return to
  const entries = Object.entries(value)
  if (Array.isArray(value)) {
    return value.length === 0
      ? [to]
      : value.map((item: unknown, index) => (index === step % value.length ? damage(item, rest, to) : item))
  }
  const [name] = entries[step % (entries.length + 1)] ?? []
  if (name === undefined) return { ...value, extra: to }
  return Object.fromEntries(
    to === undefined && rest.length === 0
      ? entries.filter(([key]) => key !== name)
      : entries.map(([key, inner]) => [key, key === name ? damage(inner, rest, to) : inner])
  )
}

const damaged = <A, I>(schema: Schema.Schema<A, I>) =>
  FastCheck.tuple(
    stored(schema),
    FastCheck.array(FastCheck.nat(5), { minLength: 1, maxLength: 4 }),
    FastCheck.oneof(
      FastCheck.jsonValue(),
      FastCheck.constantFrom("text", "call", "user", "call.finished", "__proto__", undefined, -1, 1.5)
    )
  ).map(([value, path, to]) => damage(value, path, to))

describe("a value is accepted only if the Schema decodes it unchanged", () => {
  const properties = <A, I>(what: string, schema: Schema.Schema<A, I>, runs: number) => {
    const isExact = exactly(schema)
    const decode = Schema.decodeUnknownEither(schema)
    it.prop(`for stored ${what}`, [stored(schema)], ([value]) => {
      if (isExact(value)) expect(decode(value)).toEqual(Either.right(value))
    })
    it.prop(
      `for damaged ${what}`,
      [damaged(schema)],
      ([value]) => {
        if (isExact(value)) expect(decode(value)).toEqual(Either.right(value))
      },
      { fastCheck: { numRuns: runs } }
    )
  }
  properties("messages", Message, 2_000)
  properties("events", Durable, 500)
})

/** Events as they are read; the entry or question that they bring along is added afterwards. */
const bare = stored(Durable).map((event) =>
  Predicate.isReadonlyRecord(event) ? Struct.omit(event, "entry", "question") : event
)

it.prop("every event is accepted in its stored form", [bare], ([event]) => {
  expect(exactly(Durable)(event)).toBe(true)
})

describe("toJson writes the JSON of the encoded form", () => {
  const same = <A, I>(what: string, schema: Schema.Schema<A, I>) => {
    const toJson = ExactCheck.toJson(schema)
    const encode = Schema.encodeSync(schema)
    it.prop(`of ${what}`, [Arbitrary.make(schema)], ([value]) => {
      expect(JSON.parse(toJson(value))).toEqual(JSON.parse(JSON.stringify(encode(value))))
    })
  }
  same("events", SessionEvent)
  same("entries", Entry)
  same("hints", SessionHint)
})

describe("everyday values are accepted", () => {
  const cases = {
    "a user's text": { role: "user", parts: [{ type: "text", text: "Hello" }] },
    "a file": { role: "user", parts: [{ type: "file", assetId: "a1", mediaType: "image/png", name: "x.png" }] },
    "an answer": assistant("Hello"),
    "calls with metadata": {
      ...assistant("I call", ["c1", "c2"]),
      parts: [{ type: "call", callId: "c1", name: "t", input: "{}", providerMetadata: { p: { signature: "s" } } }]
    },
    "a result": result("c1"),
    "a part of another version": { role: "user", parts: [{ type: "hologram", data: { depth: 1 } }] }
  }
  for (const [name, value] of Object.entries(cases)) {
    it(name, () => {
      expect(isExact(value)).toBe(true)
    })
  }
})

describe("a value that decoding would change or refuse is not accepted", () => {
  const cases = {
    "an unknown field": { ...result("c1"), extra: 1 },
    "an unknown part that has no type": { role: "user", parts: [{ data: 1 }] },
    "an unknown part that would lose a field": { role: "user", parts: [JSON.parse('{"type":"x","__proto__":1}')] },
    "a list with a hole": { role: "user", parts: Object.assign([], { length: 1 }) },
    "an instance of a class": {
      role: "user",
      parts: [
        new (class {
          type = "text"
          text = "x"
          toJSON() {
            return 1
          }
        })()
      ]
    },
    "a missing field": { role: "user" },
    "an unknown outcome": { ...result("c1"), outcome: "maybe" },
    "an invalid id": { ...result("c1"), callId: "../c1" },
    "an invalid count": assistant("x", [], {
      usage: { inputTokens: -1, outputTokens: null, reasoningTokens: null, cachedInputTokens: null }
    }),
    "metadata that would lose a field": {
      role: "user",
      parts: [{ type: "text", text: "x", providerMetadata: JSON.parse('{"__proto__":1}') }]
    },
    "not an object at all": "user"
  }
  for (const [name, value] of Object.entries(cases)) {
    it(name, () => {
      expect(isExact(value)).toBe(false)
    })
  }
})
