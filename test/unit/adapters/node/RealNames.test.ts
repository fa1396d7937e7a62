import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as RealNames from "../../../../src/adapters/node/RealNames.js"

/** Lookups that end when the test says so. `begun` are the paths of all of them, in order. */
const lookups = () => {
  const begun: Array<string> = []
  const ends: Array<(name: string) => void> = []
  const names = RealNames.make((path) => {
    begun.push(path)
    return new Promise((resolve) => ends.push(resolve))
  })
  return { names, begun, ends }
}

describe("names without links", () => {
  it.effect("are looked up at the same time, by whoever asks for them, and again after two seconds", () =>
    Effect.gen(function* () {
      const { begun, ends, names } = lookups()
      const [one, other] = [yield* Effect.fork(names.of(new Set("ab"))), yield* Effect.fork(names.of(new Set("b")))]
      yield* Effect.yieldNow()
      expect(begun).toEqual(["a", "b"])
      ends.forEach((end, at) => end(`real ${at}`))
      expect(Array.from(yield* one)).toEqual([
        ["a", "real 0"],
        ["b", "real 1"]
      ])
      expect(Array.from(yield* other)).toEqual([["b", "real 1"]])
      yield* TestClock.adjust(1_999)
      expect(Array.from(yield* names.of(new Set("a")))).toEqual([["a", "real 0"]])
      expect(begun).toHaveLength(2)
      yield* TestClock.adjust(1)
      const again = yield* Effect.fork(names.of(new Set("a")))
      yield* Effect.yieldNow()
      ends[2]?.("moved")
      expect(Array.from(yield* again)).toEqual([["a", "moved"]])
    })
  )

  it.effect("are waited for no longer than a second, once, and known when they come", () =>
    Effect.gen(function* () {
      const { begun, ends, names } = lookups()
      const first = yield* Effect.fork(names.of(new Set("a")))
      yield* TestClock.adjust("1 second")
      expect((yield* first).size).toBe(0)
      yield* TestClock.adjust("1 hour")
      expect((yield* names.of(new Set("a"))).size).toBe(0)
      expect(begun).toEqual(["a"])
      ends[0]?.("real")
      yield* Effect.promise(() => new Promise(setImmediate))
      const known = yield* Effect.fork(names.of(new Set("a")))
      yield* TestClock.adjust("1 second")
      expect(Array.from(yield* known)).toEqual([["a", "real"]])
      expect(begun).toEqual(["a", "a"])
    })
  )

  it.effect("of folders that are missing are their own", () =>
    Effect.gen(function* () {
      const names = RealNames.make()
      expect(Array.from(yield* names.of(new Set(["/missing/folder"])))).toEqual([
        ["/missing/folder", "/missing/folder"]
      ])
    })
  )
})
