import { describe, expect, it } from "@effect/vitest"
import { codeOf } from "../../../src/adapters/ErrorCode.js"

describe("codeOf", () => {
  it.each<[string, unknown]>([
    ["ENOENT", Object.assign(new Error("gone"), { code: "ENOENT" })],
    ["SQLITE_FULL", new Error("a library's", { cause: Object.assign(new Error("full"), { code: "SQLITE_FULL" }) })],
    ["ENOENT", Object.assign(new Error("gone", { cause: { code: "EIO" } }), { code: "ENOENT" })],
    ["TypeError", new TypeError("no code")],
    ["TypeError", Object.assign(new TypeError("a number for a code"), { code: 5 })],
    ["RangeError", { cause: new RangeError("at the bottom") }],
    ["UNKNOWN", "a text"],
    ["UNKNOWN", undefined]
  ])("is %s", (code, thrown) => {
    expect(codeOf(thrown)).toBe(code)
  })
})
