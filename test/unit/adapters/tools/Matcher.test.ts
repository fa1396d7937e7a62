import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as Matcher from "../../../../src/adapters/tools/Matcher.js"

const expression = (source: string, flags = ""): Matcher.Expression => ({ pattern: source, source, flags })

/** Waits until this process, including its threads, has used `millis` milliseconds of processor time. */
const untilBusyFor = (millis: number) =>
  Effect.suspend(() => {
    const start = process.cpuUsage()
    return Effect.sleep("5 millis").pipe(Effect.repeat({ until: () => process.cpuUsage(start).user > millis * 1000 }))
  })

/** Waits until this process, including its threads, has been idle for half a second. */
const untilResting = Effect.gen(function* () {
  const start = process.cpuUsage()
  yield* Effect.sleep("500 millis")
  return process.cpuUsage(start).user
}).pipe(Effect.repeat({ until: (micros) => micros < 20_000 }))

describe("Matcher", () => {
  it.scopedLive("returns which parts match and where, up to the limit", () =>
    Effect.gen(function* () {
      const matcher = yield* Matcher.make
      const find = (source: string, text: string, limit = 10) =>
        Effect.map(
          matcher.find({ expression: expression(source), text, separator: "\n", limit }),
          ({ matches }) => matches
        )
      expect(yield* find("b$", "ab\r\nb\nba\n\nbb")).toEqual([
        { index: 0, column: 1 },
        { index: 1, column: 0 },
        { index: 4, column: 1 }
      ])
      expect(yield* find("b", "b\nb\nb", 2)).toHaveLength(2)
      expect(yield* find("x", "b")).toEqual([])
      const zero = { expression: expression("a\nb"), text: "a\nb\0c", separator: "\0", limit: 10 } as const
      expect(yield* matcher.find(zero)).toEqual({ matches: [{ index: 0, column: 0 }], untried: [] })
    })
  )

  it.scopedLive("refuses an invalid expression, and works again afterwards", () =>
    Effect.gen(function* () {
      const matcher = yield* Matcher.make
      const find = (source: string) =>
        matcher.find({ expression: expression(source), text: "a", separator: "\n", limit: 1 })
      expect(yield* Effect.flip(find("("))).toMatchObject({ _tag: "PatternRefused", pattern: "(" })
      expect((yield* find("a")).matches).toHaveLength(1)
    })
  )

  it.scopedLive("reports a part on which the expression exhausts its stack, and tries the others", () =>
    Effect.gen(function* () {
      const matcher = yield* Matcher.make
      const text = ["abc", "ab".repeat(5_000_000), "abc"].join("\n")
      const answer = yield* matcher.find({ expression: expression("^(?:a|b)*c"), text, separator: "\n", limit: 10 })
      expect(answer.matches.map(({ index }) => index)).toEqual([0, 2])
      expect(answer.untried).toEqual([1])
    })
  )

  it.live("stops a running match and its thread at the end of the scope", () =>
    Effect.gen(function* () {
      const text = `${"a".repeat(1_000_000)}!`
      const search = Effect.flatMap(Matcher.make, (matcher) =>
        matcher.find({ expression: expression("(a+)+$"), text, separator: "\n", limit: 1 })
      )
      const fiber = yield* Effect.fork(Effect.scoped(search))
      yield* untilBusyFor(300)
      const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
      expect(Duration.toMillis(took)).toBeLessThan(5000)
      yield* untilResting
    })
  )
})
