import { assert, describe, it } from "@effect/vitest"
import type { LanguageModelV3StreamPart } from "@ai-sdk/provider"
import { FastCheck as fc } from "effect"
import * as Reading from "../../../../src/adapters/providers/Reading.js"
import * as StepDraft from "../../../../src/domain/StepDraft.js"
import type { Part } from "../../../../src/services/Model.js"

const dialect: Reading.Dialect = {
  mayIgnore: () => false,
  finishReason: ({ unified }) => unified,
  pieces: new Set(["signature"]),
  itemOf: () => null
}

const read = (sdkParts: ReadonlyArray<LanguageModelV3StreamPart>) =>
  sdkParts.reduce<readonly [Reading.Reading, ReadonlyArray<Part>]>(
    ([reading, parts], part) => {
      const [next, more] = Reading.next(reading, part, dialect)
      return [next, [...parts, ...more]]
    },
    [Reading.start(null), []]
  )

/** One text, reasoning or call, as SDKs stream them; its id may have been used before. */
type Block = readonly [kind: "text" | "reasoning" | "call", id: number, deltas: ReadonlyArray<string>]

const block: fc.Arbitrary<Block> = fc.tuple(
  fc.constantFrom("text" as const, "reasoning" as const, "call" as const),
  fc.nat(2),
  fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 })
)

const sdkParts = ([kind, id, deltas]: Block): ReadonlyArray<LanguageModelV3StreamPart> => {
  if (kind === "call") {
    const callId = `call_${id}`
    return [
      { type: "tool-input-start", id: callId, toolName: "read" },
      ...deltas.map((delta) => ({ type: "tool-input-delta" as const, id: callId, delta })),
      { type: "tool-input-end", id: callId },
      { type: "tool-call", toolCallId: callId, toolName: "read", input: deltas.join("") }
    ]
  }
  return [
    { type: `${kind}-start`, id: `${id}` },
    ...deltas.map((delta) => ({ type: `${kind}-delta` as const, id: `${id}`, delta })),
    { type: `${kind}-end`, id: `${id}` }
  ]
}

describe("Reading", () => {
  it.prop(
    "every text, reasoning and call comes out whole and in order, whatever ids the SDK reuses",
    [fc.array(block)],
    ([blocks]) => {
      const [, parts] = read(blocks.flatMap(sdkParts))
      const written = new Map<string, string>()
      for (const part of parts) {
        if (part.type === "finish" || part.type === "call") continue
        const key = part.type === "call.delta" ? `call:${part.index}` : `${part.type}:${part.id}`
        written.set(key, (written.get(key) ?? "") + part.delta)
      }
      assert.deepStrictEqual(
        [...written].map(([key, text]) => [key.replace(/:.*/u, ""), text]),
        blocks.map(([kind, , deltas]) => [kind, deltas.join("")])
      )
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "call" ? [[part.index, part.input]] : [])),
        blocks.filter(([kind]) => kind === "call").map(([, , deltas], index) => [index, deltas.join("")])
      )
    }
  )

  it("interleaved calls keep their numbers", () => {
    const [, parts] = read([
      { type: "tool-input-start", id: "a", toolName: "one" },
      { type: "tool-input-start", id: "b", toolName: "two" },
      { type: "tool-input-delta", id: "b", delta: "{" },
      { type: "tool-input-delta", id: "a", delta: "[" },
      { type: "tool-call", toolCallId: "b", toolName: "two", input: "{" },
      { type: "tool-call", toolCallId: "a", toolName: "one", input: "[" }
    ])
    assert.deepStrictEqual(
      parts.map((part) =>
        part.type === "call" || part.type === "call.delta" ? [part.type, part.index, part.name] : []
      ),
      [
        ["call.delta", 0, "one"],
        ["call.delta", 1, "two"],
        ["call.delta", 1, "two"],
        ["call.delta", 0, "one"],
        ["call", 1, "two"],
        ["call", 0, "one"]
      ]
    )
  })

  it.prop(
    "interleaved texts come out whole and in the order in which they began",
    [fc.array(fc.tuple(fc.nat(2), fc.constantFrom("x", "yz")))],
    ([turns]) => {
      const ids = [0, 1, 2]
      const [, parts] = read([
        ...ids.map((id) => ({ type: "text-start" as const, id: `${id}` })),
        ...turns.map(([id, word]) => ({ type: "text-delta" as const, id: `${id}`, delta: `${id}${word}` })),
        ...ids.toReversed().map((id) => ({ type: "text-end" as const, id: `${id}` }))
      ])
      const words = ids.map((id) => turns.flatMap(([of, word]) => (of === id ? [`${id}${word}`] : [])).join(""))
      const draft = parts.reduce(StepDraft.add, StepDraft.empty)
      assert.strictEqual(StepDraft.text(draft), words.join(""))
      assert.deepStrictEqual(
        StepDraft.toPartialMessage(draft, { provider: "p", model: "m" })?.parts ?? [],
        words.flatMap((text) => (text === "" ? [] : [{ type: "text" as const, text }]))
      )
    }
  )

  it("the last metadata of a part is complete, and is reported only when it changes", () => {
    const [, parts] = read([
      { type: "reasoning-start", id: "r", providerMetadata: { v: { itemId: "i", content: null } } },
      { type: "reasoning-delta", id: "r", delta: "hm", providerMetadata: { v: { itemId: "i" } } },
      { type: "reasoning-end", id: "r", providerMetadata: { v: { content: "sealed" }, w: { x: 1 } } }
    ])
    assert.deepStrictEqual(parts, [
      { type: "reasoning", id: "0", delta: "", providerMetadata: { v: { itemId: "i", content: null } } },
      { type: "reasoning", id: "0", delta: "hm" },
      {
        type: "reasoning",
        id: "0",
        delta: "",
        providerMetadata: { v: { itemId: "i", content: "sealed" }, w: { x: 1 } }
      }
    ])
  })

  it.each([
    ["pieces are joined", ["ab", "cd", "e"], "abcde"],
    ["a repetition of the whole replaces it", ["ab", "ab", "abcd"], "abcd"]
  ])("a value that may come in pieces: %s", (_, signatures, whole) => {
    const deltas = signatures.map((signature) => ({
      type: "reasoning-delta" as const,
      id: "r",
      delta: "",
      providerMetadata: { v: { signature, other: signature } }
    }))
    const [, parts] = read([{ type: "reasoning-start", id: "r" }, ...deltas, { type: "reasoning-end", id: "r" }])
    assert.deepStrictEqual(parts.at(-1), {
      type: "reasoning",
      id: "0",
      delta: "",
      providerMetadata: { v: { signature: whole, other: signatures.at(-1) } }
    })
  })

  it("only a finish with a reason finishes a step; without one it is cut, or broken by its error", () => {
    const error: LanguageModelV3StreamPart = { type: "error", error: "busy" }
    const finish = (raw: string | undefined, unified: "other" | "error"): LanguageModelV3StreamPart => ({
      type: "finish",
      finishReason: { unified, raw },
      usage: {
        inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: 1, text: 1, reasoning: undefined }
      }
    })
    for (const end of [[], [finish(undefined, "other")], [finish(undefined, "error")]]) {
      const [cut, written] = read(end)
      assert.deepStrictEqual([Reading.end(cut).status, written], [{ _tag: "cut" }, []])
      const [broken] = read([error, ...end])
      assert.deepStrictEqual(Reading.end(broken).status, { _tag: "broken", error: "busy" })
    }
    for (const before of [[], [error]]) {
      const [finished, written] = read([...before, finish("its own", "other")])
      assert.deepStrictEqual([finished.status, written.length], [{ _tag: "finished" }, 1])
    }
  })
})
