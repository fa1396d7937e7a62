import { describe, expect, it } from "@effect/vitest"
import { Usage } from "skein"
import { withCost } from "../../../src/domain/Prices.js"

const of = (usage: Partial<Usage.Usage>) => ({ ...Usage.unknown, ...usage })
const sonnet = { input: 3, output: 15, cachedInput: 0.3, cacheWrite: 3.75 }

describe("Prices", () => {
  it("cached tokens are part of the input, and have prices of their own", () => {
    const usage = of({ inputTokens: 1000, outputTokens: 100, cachedInputTokens: 600, cacheWriteTokens: 300 })
    // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 100 × 15, in millionths of a dollar.
    expect(withCost(usage, sonnet)).toEqual({ ...usage, costMicroUsd: 3105 })
    expect(withCost(usage, { input: 3, output: 15 })).toEqual({ ...usage, costMicroUsd: 4500 })
  })

  it("unknown tokens have no cost, and a cost is never negative or too large to add up", () => {
    const unknown = of({ inputTokens: 10 })
    expect(withCost(unknown, sonnet)).toEqual(unknown)
    expect(withCost(of({ inputTokens: 0, outputTokens: 0 }), sonnet).costMicroUsd).toBe(0)
    const odd = of({ inputTokens: 10, outputTokens: 0, cachedInputTokens: 50, cacheWriteTokens: 50 })
    expect(withCost(odd, sonnet).costMicroUsd).toBe(3)
    const huge = of({ inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 0 })
    expect(withCost(huge, { input: 1_000_000, output: 0 }).costMicroUsd).toBe(1_000_000_000_000)
  })

  it("sums add costs exactly, and a step can be subtracted again", () => {
    const step = withCost(of({ inputTokens: 7, outputTokens: 3 }), sonnet)
    const sum = [step, step, Usage.unknown].reduce(Usage.add, Usage.zero)
    expect(sum.costMicroUsd).toBe(132)
    expect(Usage.subtract(sum, step).costMicroUsd).toBe(66)
  })
})
