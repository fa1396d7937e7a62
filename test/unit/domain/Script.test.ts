import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as Script from "../../../src/domain/Script.js"

const errorOf = (text: string): string => Either.match(Script.fromJson(text), { onLeft: String, onRight: () => "" })

describe("Script.fromJson", () => {
  it("reads the script that the documentation shows", () => {
    const script = [
      {
        reasoning: "The file first.",
        text: "Let me look.",
        calls: [{ name: "read", input: { path: "notes.md" } }],
        usage: { inputTokens: 12, outputTokens: 7 }
      },
      { text: ["It says ", "hello."], delayMillis: 200 },
      { text: "half an ans", failure: { reason: "overloaded" } },
      { hang: true }
    ]
    assert.deepStrictEqual<unknown>(Either.getOrThrow(Script.fromJson(JSON.stringify(script))), script)
  })

  it("refuses misspelt fields and invalid values", () => {
    assert.include(errorOf(`[{ "txet": "a" }]`), "txet")
    assert.include(errorOf(`[{ "failure": { "reason": "bored" } }]`), "reason")
    assert.include(errorOf(`[{ "calls": [{ "name": "", "input": {} }] }]`), "name")
    assert.include(errorOf(`[{ "delayMillis": -1 }]`), "delayMillis")
    assert.notStrictEqual(errorOf(`{ "text": "a" }`), "")
    assert.notStrictEqual(errorOf("no JSON"), "")
  })
})
