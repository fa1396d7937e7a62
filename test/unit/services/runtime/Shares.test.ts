import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ground, stopped } from "./engines.js"
import { running } from "./leaving.js"

const continues = { recovery: "continue" } as const
const looking = { recoverMillis: 1_000 } as const

describe("engines that divide the sessions", () => {
  const config = { ...continues, ...looking, leaseMillis: 6_000 }
  const others = { isOwn: () => false, keepsUp: false }

  for (const clock of ["host", "another"]) {
    it.scoped(
      `P9 take over a silent engine's run well within twice its lease, in whatever share it is: clock ${clock}`,
      () =>
        Effect.gen(function* () {
          const byDefault = { ...continues, ...looking }
          const { model, open, run } = yield* running(byDefault, stopped)
          const other = yield* open("other", { config: byDefault, shares: others, clock })
          yield* model.play(ScriptedModel.text("done"))
          // It is asked after 15 and after 22.5 seconds, and its lease is over after 23.5, well before twice the lease.
          for (let second = 1; second <= 25; second++) {
            yield* Quiescence.idle
            yield* TestClock.adjust("1 second")
          }
          yield* Quiescence.idle
          expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
        })
    )
  }

  it.scoped("P9 take over a silent engine's run no later if its session moves to another share meanwhile", () =>
    Effect.gen(function* () {
      const byDefault = { ...continues, ...looking }
      let isOwn = true
      const { model, open, run } = yield* running(byDefault, stopped)
      const other = yield* open("other", { config: byDefault, shares: { isOwn: () => isOwn, keepsUp: false } })
      yield* model.play(ScriptedModel.text("done"))
      for (let second = 1; second <= 25; second++) {
        yield* Quiescence.idle
        if (second === 23) isOwn = false
        yield* TestClock.adjust("1 second")
      }
      yield* Quiescence.idle
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 ask a silent engine once at each check, however many runs it holds", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      yield* model.play(...Array.from({ length: 10 }, () => ScriptedModel.hang))
      const one = yield* open("one", stopped)
      yield* Effect.forEach(Array.from({ length: 10 }), () => one.begin("go"))
      yield* Quiescence.idle
      let signs = 0
      const { gateway } = yield* open("other", {
        config: continues,
        storage: (own) => ({
          ...own,
          renew: (presence) =>
            Effect.zipRight(
              Effect.sync(() => void signs++),
              own.renew(presence)
            )
        })
      })
      yield* TestClock.adjust("15 seconds")
      yield* gateway.recover()
      expect(signs).toBe(1)
    })
  )

  it.scoped("P5 leave a dead engine's run to the engine whose share it is in", () =>
    Effect.gen(function* () {
      const { die, model, open, run } = yield* running(config)
      const other = yield* open("other", { config: { ...config, recoverMillis: 300 }, shares: others })
      yield* open("own", { config, shares: { isOwn: () => true, keepsUp: false } })
      yield* model.play(ScriptedModel.text("done"))
      yield* Quiescence.idle
      yield* die
      yield* TestClock.adjust("900 millis")
      yield* Quiescence.idle
      expect(yield* other.told(run.sessionId)).not.toContain("run.released")
      yield* TestClock.adjust("100 millis")
      yield* Quiescence.idle
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
    })
  )

  it.scoped("P5 take a dead engine's run themselves if nobody has come for a third of a lease", () =>
    Effect.gen(function* () {
      const { die, model, open, run } = yield* running(config)
      const other = yield* open("other", { config, shares: others })
      yield* model.play(ScriptedModel.text("done"))
      yield* Quiescence.idle
      yield* die
      yield* TestClock.adjust("2 seconds")
      yield* Quiescence.idle
      expect((yield* other.gateway.run(run.runId)).state).toBe("running")
      expect(yield* other.told(run.sessionId)).not.toContain("run.released")
      yield* TestClock.adjust("2 seconds")
      yield* Quiescence.idle
      expect((yield* other.gateway.run(run.runId)).stopReason).toBe("completed")
    })
  )
})
