import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as ModelFailure from "../../../src/domain/ModelFailure.js"
import { ModelFailed } from "../../../src/domain/SkeinError.js"

const failures = FastCheck.record({
  model: FastCheck.constantFrom("gpt-5", "a b", "org/name:7b", "x (1)"),
  reason: FastCheck.constantFrom(...ModelFailure.reasons),
  status: FastCheck.option(FastCheck.integer({ min: 100, max: 599 })),
  detail: FastCheck.oneof(FastCheck.string(), FastCheck.constantFrom("it said: (so) far\nand on", ": ", "(400)"))
})

describe("ModelFailure", () => {
  it.prop("the message of a ModelFailed is read back in full", [failures], ([{ detail, model, reason, status }]) => {
    const error = new ModelFailed({ model: `local/${model}`, reason, status, retryAfterMillis: null, detail })
    expect(ModelFailure.fromText(error.message)).toEqual({ ref: { provider: "local", model }, reason, status, detail })
  })

  it.each([
    "",
    "the run failed",
    "Storage failed to append: SQLITE_FULL",
    "Model m failed: cut",
    "Model a/b failed: odd"
  ])("no other text is read as a model failure (%s)", (text) => {
    expect(ModelFailure.fromText(text)).toBeNull()
  })
})
