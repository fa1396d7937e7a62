import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, FastCheck } from "effect"
import * as Usage from "../../../src/domain/Usage.js"

const counts = ["inputTokens", "outputTokens", "reasoningTokens", "cachedInputTokens"] as const

describe("Usage", () => {
  it.prop(
    "a sum adds what is known and counts the steps that left input or output unknown",
    [FastCheck.array(Arbitrary.make(Usage.Usage))],
    ([steps]) => {
      const total = steps.reduce(Usage.add, Usage.zero)
      for (const count of counts) {
        expect(total[count]).toBe(steps.reduce((sum, usage) => sum + (usage[count] ?? 0), 0))
      }
      expect(total.steps).toBe(steps.length)
      expect(total.unknownSteps).toBe(
        steps.filter((usage) => usage.inputTokens === null || usage.outputTokens === null).length
      )
    }
  )

  it("a step of which nothing is known counts as a step, and as unknown", () => {
    expect(Usage.add(Usage.zero, Usage.unknown)).toEqual({ ...Usage.zero, steps: 1, unknownSteps: 1 })
  })

  it("unknown reasoning or cached tokens do not make a step unknown", () => {
    const usage: Usage.Usage = { ...Usage.unknown, inputTokens: 2, outputTokens: 0 }
    expect(Usage.add(Usage.zero, usage)).toEqual({ ...Usage.zero, steps: 1, inputTokens: 2 })
  })
})
