import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import * as Progress from "../../../../../src/adapters/cli/terminal/Progress.js"
import { Screen, type Work } from "../../../../../src/adapters/cli/terminal/Screen.js"
import * as FakeScreen from "./FakeScreen.js"
import * as HandClock from "./HandClock.js"

const copying = { label: "Backing up", unit: "bytes" }
const checking = { label: "Checking", unit: "rows" }

describe("Progress", () => {
  it("says how much is done of how much, and how long the rest will take", () => {
    expect(Progress.text(copying, { done: 12_300_000, total: 40_000_000, millis: 4_000, columns: 80 })).toBe(
      "Backing up: 12.3 MB of 40.0 MB, about 10 s left"
    )
    expect(Progress.text(checking, { done: 1_234, total: 4_000_000, millis: 2_000, columns: 80 })).toBe(
      "Checking: 1,234 of 4,000,000 rows, about 1 h 49 min left"
    )
    expect(Progress.text(checking, { done: 50, total: 100, millis: 90_000, columns: 80 })).toBe(
      "Checking: 50 of 100 rows, about 2 min left"
    )
  })

  it("keeps the time where there is no room for the amounts", () => {
    const amount = { done: 12_300_000, total: 40_000_000, millis: 4_000 }
    expect(Progress.text(copying, { ...amount, columns: 40 })).toBe("Backing up: 30 %, about 10 s left")
    expect(Progress.text(checking, { done: 123_456, total: null, millis: 1, columns: 10 })).toBe(
      "Checking: 123,456 rows"
    )
  })

  it("says no time where it would be a guess: at first, without a total, at the end, beyond it", () => {
    expect(Progress.text(copying, { done: 1, total: 2, millis: 999, columns: 80 })).toBe("Backing up: 1 B of 2 B")
    expect(Progress.text(copying, { done: 0, total: 2, millis: 5_000, columns: 80 })).toBe("Backing up: 0 B of 2 B")
    expect(Progress.text(checking, { done: 7, total: null, millis: 5_000, columns: 80 })).toBe("Checking: 7 rows")
    expect(Progress.text(checking, { done: 7, total: 7, millis: 5_000, columns: 80 })).toBe("Checking: 7 of 7 rows")
    expect(Progress.text(checking, { done: 8, total: 7, millis: 5_000, columns: 80 })).toBe("Checking: 8 of 8 rows")
  })

  it.effect("on a terminal it is at the bottom, at most ten times a second", () =>
    Effect.gen(function* () {
      const { clock, pass } = HandClock.make()
      const screen = yield* FakeScreen.make()
      const shown = yield* Ref.make<ReadonlyArray<string>>([])
      const show = ({ status }: Work) => Ref.update(shown, (before) => [...before, status])
      const drawn = Layer.effect(
        Screen,
        Effect.map(Screen, (service) => ({ ...service, hasBottom: true, show }))
      ).pipe(Layer.provide(screen.layer))
      const work = (report: Progress.Report) =>
        Effect.gen(function* () {
          for (let done = 0; done <= 4; done++) {
            yield* report(done, 4)
            yield* pass(60)
          }
          return "done"
        })
      const result = yield* Progress.during(checking, work).pipe(Effect.provide(drawn), Effect.withClock(clock))
      expect(result).toBe("done")
      expect(yield* Ref.get(shown)).toEqual([
        "Checking",
        "Checking: 0 of 4 rows",
        "Checking: 2 of 4 rows",
        "Checking: 4 of 4 rows"
      ])
      expect(yield* screen.errors).toBe("")
    })
  )

  it.effect("elsewhere it is a line every three seconds, and none for what is done sooner", () =>
    Effect.gen(function* () {
      const { clock, pass } = HandClock.make()
      const screen = yield* FakeScreen.make()
      const work = (report: Progress.Report) =>
        Effect.gen(function* () {
          for (let done = 1; done <= 8; done++) {
            yield* pass(1_000)
            yield* report(done, 8)
          }
        })
      yield* Progress.during(checking, work).pipe(Effect.provide(screen.layer), Effect.withClock(clock))
      expect(yield* screen.errors).toBe(
        "Checking: 3 of 8 rows, about 5 s left\nChecking: 6 of 8 rows, about 2 s left\n"
      )
    })
  )
})
