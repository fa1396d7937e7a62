import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as OpeningProgress from "../../../../src/adapters/cli/OpeningProgress.js"
import { Signals } from "../../../../src/adapters/cli/Signals.js"
import { Screen, type Work } from "../../../../src/adapters/cli/terminal/Screen.js"
import { WorkProgress } from "../../../../src/services/WorkProgress.js"
import * as FakeScreen from "./terminal/FakeScreen.js"
import * as HandClock from "./terminal/HandClock.js"

/** What is shown, and when signals are taken over, while `open` runs. */
const seen = <A, E>(open: (pass: (millis: number) => Effect.Effect<void>) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const { clock, pass } = HandClock.make()
    const lines: Array<string> = []
    const say = (line: string) => Effect.sync(() => void lines.push(line))
    const screen = yield* FakeScreen.make()
    const drawn = Layer.effect(
      Screen,
      Effect.map(Screen, (service) => ({
        ...service,
        hasBottom: true,
        show: ({ status }: Work) => say(status)
      }))
    ).pipe(Layer.provide(screen.layer))
    const result = yield* OpeningProgress.during(open(pass)).pipe(
      Effect.provide(drawn),
      Effect.provideService(Signals, {
        arm: say("armed"),
        disarm: say("disarmed"),
        take: Effect.succeed(Effect.never)
      }),
      Effect.withClock(clock)
    )
    return { result, lines }
  })

it.effect("shows nothing of an engine that opens at once", () =>
  Effect.gen(function* () {
    expect(yield* seen(() => Effect.succeed("open"))).toEqual({ result: "open", lines: [""] })
  })
)

it.effect("shows how far the copy is, which a signal may end, then the migration, which it may not", () =>
  Effect.gen(function* () {
    const { lines, result } = yield* seen((pass) =>
      Effect.gen(function* () {
        const report = yield* WorkProgress
        if (report === null) return yield* Effect.dieMessage("nobody is told")
        for (const done of [1, 2, 3, 4]) {
          yield* report("copy", done * 1_000_000, 4_000_000)
          yield* pass(1_500)
        }
        return "open"
      })
    )
    expect(result).toBe("open")
    expect(lines).toEqual([
      "",
      "armed",
      "Copying the database before its migration: 1.0 MB of 4.0 MB",
      "armed",
      "Copying the database before its migration: 50 %, about 2 s left",
      "armed",
      "Copying the database before its migration: 75 %, about 1 s left",
      "disarmed",
      "Migrating the database"
    ])
  })
)
