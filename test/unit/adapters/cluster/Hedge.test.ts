import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import * as Hedge from "../../../../src/adapters/cluster/Hedge.js"

const patience = { reach: Duration.seconds(1), giveUp: Duration.seconds(10) }

/** A refusal with "elsewhere" means that another one may succeed. */
const settles = (exit: Exit.Exit<string, string>) =>
  Exit.isSuccess(exit) || !Option.contains(Cause.failureOption(exit.cause), "elsewhere")

const ask = (...ways: ReadonlyArray<Effect.Effect<string, string>>) => Hedge.ask(ways, settles, patience)

describe("Hedge.ask", () => {
  it.effect("tries only the first way while it answers in time", () =>
    Effect.gen(function* () {
      const exit = yield* ask(Effect.succeed("one"), Effect.dieMessage("was asked"))
      expect(exit).toEqual(Option.some(Exit.succeed("one")))
      expect(yield* ask(Effect.fail("no"), Effect.succeed("two"))).toEqual(Option.some(Exit.fail("no")))
    })
  )

  it.effect("tries the next way when a way refuses what another may do", () =>
    Effect.gen(function* () {
      expect(yield* ask(Effect.fail("elsewhere"), Effect.succeed("two"))).toEqual(Option.some(Exit.succeed("two")))
      expect(yield* ask(Effect.fail("elsewhere"))).toEqual(Option.some(Exit.fail("elsewhere")))
    })
  )

  it.effect("tries the next way while one is silent, and takes the first answer without waiting for others", () =>
    Effect.gen(function* () {
      const late = yield* Deferred.make<string>()
      const asked = yield* Effect.fork(
        ask(Effect.uninterruptible(Deferred.await(late)), Effect.delay(Effect.succeed("two"), "5 seconds"))
      )
      yield* TestClock.adjust("1 second")
      expect(Option.isNone(yield* Fiber.poll(asked))).toBe(true)
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(asked)).toEqual(Option.some(Exit.succeed("two")))

      const again = yield* Effect.fork(ask(Deferred.await(late), Effect.never))
      yield* TestClock.adjust("2 seconds")
      yield* Deferred.succeed(late, "one")
      expect(yield* Fiber.join(again)).toEqual(Option.some(Exit.succeed("one")))
    })
  )

  it.effect("gives up at its time limit, with the last refusal if there was one", () =>
    Effect.gen(function* () {
      const silent = yield* Effect.fork(ask(Effect.never, Effect.never))
      const refused = yield* Effect.fork(ask(Effect.never, Effect.fail("elsewhere")))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(silent)).toEqual(Option.none())
      expect(yield* Fiber.join(refused)).toEqual(Option.some(Exit.fail("elsewhere")))
    })
  )

  it.effect("is interrupted at once, even if the way it tries cannot be", () =>
    Effect.gen(function* () {
      const asked = yield* Effect.fork(ask(Effect.uninterruptible(Effect.never)))
      yield* TestClock.adjust("1 millis")
      expect(Exit.isInterrupted(yield* Fiber.interrupt(asked))).toBe(true)
    })
  )
})
