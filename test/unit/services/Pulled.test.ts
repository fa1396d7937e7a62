import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Either, Exit, FastCheck, Fiber, Stream } from "effect"
import * as Pulled from "../../../src/services/Pulled.js"

const chunks = FastCheck.array(FastCheck.array(FastCheck.nat(), { maxLength: 3 }), { maxLength: 5 })

/** A stream of these chunks that notes when it is closed. */
const streamOf = (all: ReadonlyArray<ReadonlyArray<number>>, closed: () => void) =>
  Stream.fromChunks(...all.map((chunk) => Chunk.unsafeFromArray(chunk))).pipe(Stream.ensuring(Effect.sync(closed)))

describe("a stream that is pulled", () => {
  it.effect.prop("gives each value once and in order, and is closed at its end", [chunks], ([all]) =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      let closed = 0
      const stream = streamOf(all, () => closed++)
      yield* Pulled.forEach(stream, (value) => Effect.sync(() => void seen.push(value)))
      expect([seen, closed]).toEqual([all.flat(), 1])
      expect(yield* Pulled.all(stream)).toEqual(all.flat())
      expect(closed).toBe(2)
    })
  )

  it.effect.prop(
    "ends with its own failure or its consumer's, and takes no more values",
    [chunks, FastCheck.nat(8)],
    ([all, at]) =>
      Effect.gen(function* () {
        const values = all.flat()
        let closed = 0
        const stream = streamOf(all, () => closed++)
        const seen: Array<number> = []
        const take = (value: number) => (seen.push(value) > at ? Effect.fail("enough" as const) : Effect.void)
        const taken = yield* Effect.either(Pulled.forEach(stream, take))
        expect(taken).toEqual(values.length > at ? Either.left("enough") : Either.right(undefined))
        expect([seen, closed]).toEqual([values.slice(0, at + 1), 1])
        const broken = Stream.concat(stream, Stream.fail("broken" as const))
        expect(yield* Effect.either(Pulled.all(broken))).toEqual(Either.left("broken"))
      })
  )

  it.effect("is closed when its consumer is interrupted", () =>
    Effect.gen(function* () {
      const taking = yield* Deferred.make<void>()
      let closed = 0
      const stream = streamOf([[1], [2]], () => closed++)
      const fiber = yield* Effect.fork(
        Pulled.forEach(stream, () => Effect.zipRight(Deferred.succeed(taking, undefined), Effect.never))
      )
      yield* Deferred.await(taking)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      expect(closed).toBe(1)
    })
  )
})
