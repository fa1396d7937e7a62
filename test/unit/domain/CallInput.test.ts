import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as CallInput from "../../../src/domain/CallInput.js"

describe("CallInput", () => {
  it.prop(
    "an object is kept as it is",
    [FastCheck.dictionary(FastCheck.string({ unit: "grapheme" }), FastCheck.jsonValue({ stringUnit: "grapheme" }))],
    ([object]) => {
      const raw = JSON.stringify(object)
      expect(JSON.stringify(CallInput.toObject(raw))).toBe(JSON.stringify(JSON.parse(raw)))
    }
  )

  it("a key named __proto__ is a key like any other", () => {
    const raw = '{"__proto__":{"a":1}}'
    expect(JSON.stringify(CallInput.toObject(raw))).toBe(raw)
  })

  it.each(["", " \n"])("blank input is the empty object (%j)", (raw) => {
    expect(CallInput.toObject(raw)).toEqual({})
  })

  it.each(["{", '{"a":', "[1,2]", "null", "7", '"text"', "rm -rf"])(
    "input that is not a JSON object is kept under _unparsed as it was written (%j)",
    (raw) => {
      expect(CallInput.toObject(raw)).toEqual({ _unparsed: raw })
    }
  )

  it.each(['{"a":1e999}', '{"a":[-1e999]}', '{"id":9007199254740993}', '{"a":"\\"","b":[-10000000000000001]}'])(
    "input with an oversized number is kept under _unparsed (%j)",
    (raw) => {
      expect(CallInput.toObject(raw)).toEqual({ _unparsed: raw })
    }
  )

  it.each([
    '{"a":9007199254740991}',
    '{"a":1e300}',
    '{"a":100000000000000000000}',
    '{"a":"90071992547409930"}',
    '{"a":0.12345678901234567}'
  ])("other numbers, and digits in a text, are parsed as usual (%j)", (raw) => {
    expect(CallInput.toObject(raw)).toEqual(JSON.parse(raw))
  })

  it("long input that is not a JSON object is cut", () => {
    const { _unparsed } = CallInput.toObject("x".repeat(5_000))
    expect(_unparsed).toMatch(/^x{800}\n.*4000 characters left out.*\nx{200}$/s)
  })

  it("lone surrogates become U+FFFD, in keys and values, escaped or not", () => {
    expect(CallInput.toObject('{"\\ud83d":["\ude00",{"a":"\\ud83d\\ude00"}]}')).toEqual({
      "\ufffd": ["\ufffd", { a: "😀" }]
    })
  })

  it.each([
    ["never closed", `{"a":${"[".repeat(500_000)}`],
    ["closed", `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`],
    ["just too deep", `{"a":${"[".repeat(101)}${"]".repeat(101)}}`]
  ])("input nested too deeply is kept under _unparsed (%s)", (_, raw) => {
    expect(Object.keys(CallInput.toObject(raw))).toEqual(["_unparsed"])
  })

  it("input of more than 20,000 values is kept under _unparsed, because it would take seconds to read", () => {
    const list = (count: number) => `{"a":[${Array.from({ length: count }, () => 1).join(",")}]}`
    expect(CallInput.toObject(list(19_998))).toEqual(JSON.parse(list(19_998)))
    expect(Object.keys(CallInput.toObject(list(20_001)))).toEqual(["_unparsed"])
    const text = JSON.stringify({ text: '{[,"\\\n'.repeat(100_000) })
    expect(CallInput.toObject(text)).toEqual(JSON.parse(text))
  })

  it("a depth of one hundred is allowed", () => {
    const raw = `{"a":${"[".repeat(99)}${"]".repeat(99)}}`
    expect(JSON.stringify(CallInput.toObject(raw))).toBe(raw)
  })
})
