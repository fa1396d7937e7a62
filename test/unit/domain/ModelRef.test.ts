import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Option, Schema } from "effect"
import * as ModelRef from "../../../src/domain/ModelRef.js"

const provider = FastCheck.string({ minLength: 1 }).filter((text) => /^[^/\s]+$/.test(text))
const model = FastCheck.string({ unit: FastCheck.constantFrom("a", "/", "-", ":"), minLength: 1, maxLength: 8 })

describe("ModelRef", () => {
  it.prop(
    "is read back as written, including slashes in the model's own name",
    [provider, model],
    ([provider, model]) => {
      expect(ModelRef.fromText(ModelRef.toText({ provider, model }))).toEqual({ provider, model })
    }
  )

  it.each(["", "/", "anthropic", "anthropic/", "/claude"])("%j names no model", (text) => {
    expect(ModelRef.fromText(text)).toBeNull()
  })

  it.prop("a text is read as a valid reference or not at all", [FastCheck.string()], ([text]) => {
    const ref = ModelRef.fromText(text)
    expect(ref === null || Schema.is(ModelRef.ModelRef)(ref)).toBe(true)
  })

  it.each([
    { temperature: 2.1 },
    { temperature: -1 },
    { maxOutputTokens: 0 },
    { maxOutputTokens: 1.5 },
    { reasoningEffort: "huge" },
    { stop: [""] },
    { seed: 0.5 }
  ])("P12 clear refusal: does not take options %j", (options) => {
    expect(Option.isNone(Schema.decodeUnknownOption(ModelRef.Options)(options))).toBe(true)
  })
})
