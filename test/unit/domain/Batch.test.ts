import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Batch from "../../../src/domain/Batch.js"
import { CallId } from "../../../src/domain/Message.js"
import { Seq } from "../../../src/domain/Session.js"

interface Completion {
  readonly index: number
  readonly result: number
}

/**
 * A size, and completions in any order, some of them repeated or of a place that does not exist; `result` distinguishes
 * them.
 */
const runs = FastCheck.integer({ min: 0, max: 12 }).chain((size) =>
  FastCheck.record({
    opener: FastCheck.integer({ min: 1, max: 1_000 }).map((seq) => Seq.make(seq)),
    size: FastCheck.constant(size),
    completions: FastCheck.array(FastCheck.integer({ min: -1, max: size + 1 }), { maxLength: 40 }).map((indexes) =>
      indexes.map((index, result): Completion => ({ index, result }))
    )
  })
)

const everyPlace = (size: number) =>
  FastCheck.shuffledSubarray(
    Array.from({ length: size }, (_, index) => index),
    { minLength: size, maxLength: size }
  )

const play = (opener: Seq, size: number, completions: ReadonlyArray<Completion>) => {
  let batch = Batch.make<number>(opener, size)
  const appendedEach = completions.map(({ index, result }) => {
    const [next, appended] = Batch.store(batch, index, result)
    batch = next
    return appended
  })
  return { batch, appendedEach }
}

/** The model: an array that keeps the first result of each place, and the part of its beginning that is filled. */
const firstOf = (size: number, completions: ReadonlyArray<Completion>) =>
  Array.from({ length: size }, (_, index) => completions.find((completion) => completion.index === index)?.result)

const filled = (results: ReadonlyArray<number | undefined>) => {
  const gap = results.indexOf(undefined)
  return gap === -1 ? results : results.slice(0, gap)
}

describe("Batch", () => {
  it.prop(
    "P1 one order: whatever order calls finish in, their results are appended in call order, each once",
    [
      FastCheck.integer({ min: 0, max: 40 }).chain((size) =>
        FastCheck.tuple(FastCheck.constant(size), everyPlace(size))
      )
    ],
    ([[size, order]]) => {
      const { batch, appendedEach } = play(
        Seq.make(7),
        size,
        order.map((index) => ({ index, result: index * 10 }))
      )
      expect(appendedEach.flat()).toEqual(
        Array.from({ length: size }, (_, index) => ({ seq: 8 + index, result: index * 10 }))
      )
      expect(batch.head).toBe(7 + size)
    }
  )

  it.prop(
    "P1 one order: at any time, exactly the results before the first unfinished call are appended",
    [runs],
    ([run]) => {
      for (let count = 0; count <= run.completions.length; count++) {
        const seen = run.completions.slice(0, count)
        const { batch, appendedEach } = play(run.opener, run.size, seen)
        const appended = appendedEach.flat()
        const expected = filled(firstOf(run.size, seen))
        expect(appended.map(({ result }) => result)).toEqual(expected)
        expect(appended.map(({ seq }) => seq)).toEqual(expected.map((_, index) => run.opener + 1 + index))
        expect(batch.head).toBe(run.opener + expected.length)
      }
    }
  )

  it.prop("the first completion of a place wins: a second one changes nothing", [runs], ([run]) => {
    const { batch } = play(run.opener, run.size, run.completions)
    for (const { index } of run.completions) {
      expect(Batch.store(batch, index, -1)).toEqual([batch, []])
    }
  })

  it("a result for a place outside the batch changes nothing", () => {
    const batch = Batch.make<string>(Seq.make(1), 2)
    for (const index of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(Batch.store(batch, index, "x")).toEqual([batch, []])
    }
  })

  it("keeps no result that the head has passed", () => {
    const { batch } = play(Seq.make(1), 3, [
      { index: 1, result: 1 },
      { index: 0, result: 0 },
      { index: 2, result: 2 }
    ])
    expect([...batch.stored]).toEqual([])
  })

  describe("closing", () => {
    const call = { callId: CallId.make("c1"), name: "read" }

    it("P4 always sendable: a started call is closed as interrupted, its effects unknown", () => {
      const result = Batch.closing({ ...call, state: "started" })
      expect(result).toMatchObject({ role: "tool", ...call, outcome: "interrupted" })
      expect(result.text).toMatch(/effects are unknown/)
    })

    it("P4 always sendable: a pending call is closed as never started, without effect", () => {
      const result = Batch.closing({ ...call, state: "pending" })
      expect(result).toMatchObject({ role: "tool", ...call, outcome: "never-started" })
      expect(result.text).toMatch(/no effect/)
    })
  })
})
