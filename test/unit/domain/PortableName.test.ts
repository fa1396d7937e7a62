import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as PortableName from "../../../src/domain/PortableName.js"

describe("PortableName", () => {
  it("is a name that Anthropic and OpenAI accept", () => {
    for (const name of ["read", "A-z_9", "x".repeat(64)]) expect(PortableName.is(name)).toBe(true)
    for (const name of ["", " ", "a.b", "é", "x".repeat(65), "a\n"]) expect(PortableName.is(name)).toBe(false)
  })

  it("is not a name that every object has", () => {
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      expect(PortableName.is(name)).toBe(false)
      expect(PortableName.of(name)).toBe(`${name}_`)
    }
    expect(PortableName.is("Constructor")).toBe(true)
  })

  it.prop("can be made from any text", [FastCheck.string({ unit: "binary" })], ([text]) => {
    expect(PortableName.is(PortableName.of(text))).toBe(true)
  })
})
