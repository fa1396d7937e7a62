import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Batches from "../../../../src/adapters/providers/Batches.js"

const streamOf = (count: number, end: (controller: ReadableStreamDefaultController<number>) => void) => {
  let at = 0
  return new ReadableStream<number>({
    pull: (controller) => {
      if (at < count) controller.enqueue(at++)
      else end(controller)
    }
  })
}

/** All batches up to the end or to the error. */
const collect = Effect.fnUntraced(function* (stream: ReadableStream<number>) {
  const next = Batches.of(stream.getReader())
  const batches: Array<ReadonlyArray<number>> = []
  while (true) {
    const batch = yield* Effect.either(Effect.tryPromise({ try: next, catch: (error) => error }))
    if (batch._tag === "Left") return { batches, error: batch.left }
    if (batch.right === null) return { batches, error: null }
    batches.push(batch.right)
  }
})

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)

describe("Batches", () => {
  it.effect("has every part once and in order, in far fewer reads than parts", () =>
    Effect.gen(function* () {
      for (const count of [0, 1, 2, 1_000]) {
        const { batches, error } = yield* collect(streamOf(count, (controller) => controller.close()))
        assert.deepStrictEqual(batches.flat(), numbers(count))
        assert.isNull(error)
        assert.isAtMost(batches.length, Math.ceil(count / 100))
      }
    })
  )

  it.effect("reports an error after everything that came before it", () =>
    Effect.gen(function* () {
      const { batches, error } = yield* collect(streamOf(300, (controller) => controller.error("broken")))
      assert.deepStrictEqual(batches.flat(), numbers(300))
      assert.strictEqual(error, "broken")
    })
  )

  it.effect("waits for a part only while it has none", () =>
    Effect.gen(function* () {
      const stream = new ReadableStream<number>({ start: (controller) => controller.enqueue(1) })
      const next = Batches.of(stream.getReader())
      assert.deepStrictEqual(yield* Effect.promise(next), [1])
    })
  )
})
