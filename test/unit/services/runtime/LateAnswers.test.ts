/** An answer that comes when no engine drives the run, and when the engine that takes it cannot go on with it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Permissions } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { StorageBusy } from "../../../../src/domain/SkeinError.js"
import { ground, type Options } from "./engines.js"
import { asked } from "./leaving.js"

const placement = "there"
const config = { recovery: "continue", continueWithinMillis: 60_000 } as const
const options = { tools: [asked], policy: Permissions.askToWrite }

/** Engine `one` with a run that asks, in a session with a placement that it serves. */
const asking = (own: Options["config"] = {}) =>
  Effect.gen(function* () {
    const world = yield* ground
    const open = (instance: string, { config: more, ...own }: Options = {}) =>
      world.open(instance, { ...options, ...own, config: { ...config, ...more } })
    const one = yield* open("one", { config: { placements: [placement], ...own } })
    const { id } = yield* one.gateway.create({ workdir: "/", placement })
    yield* world.model.play(ScriptedModel.calls(ScriptedModel.call(asked, {})))
    const run = yield* one.send(id, "go")
    const { questionId } = yield* one.seen(run, "permission.asked")
    return { ...world, answer: { questionId, verdict: "allow-once" } as const, id, one, open, run }
  })

const lines = ["user: go", "assistant: (ask)", "ask success: allowed", "assistant: done"]

describe("an answer is followed by an engine that can, however long ago the run was left,", () => {
  for (const how of ["closed", "dead"] as const) {
    it.scoped(`if the engine that took it does not serve the session's placement (the run's engine is ${how})`, () =>
      Effect.gen(function* () {
        const { answer, declare, id, model, one, open, run } = yield* asking()
        yield* model.play(ScriptedModel.text("done"))
        yield* how === "closed" ? one.close : declare("one", "dead")
        if (how === "dead") yield* Effect.fork(one.close)
        yield* TestClock.adjust("2 minutes")
        const other = yield* open("other")
        yield* other.gateway.answer(answer)
        yield* TestClock.adjust("2 minutes")
        const later = yield* open("later", { config: { placements: [placement] } })
        expect(yield* later.gateway.recover()).toEqual([id])
        expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
        expect(yield* later.lines(id)).toEqual(lines)
      })
    )
  }

  it.scoped("if it came while the engine was closing", () =>
    Effect.gen(function* () {
      const { answer, id, model, one, open, run } = yield* asking({ drainMillis: 60_000 })
      yield* model.play(ScriptedModel.hang)
      // The engine waits for this run while it closes.
      yield* one.begin("another")
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* one.gateway.answer(answer)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(closing)
      yield* TestClock.adjust("2 minutes")
      yield* model.play(ScriptedModel.text("done"))
      const later = yield* open("later", { config: { placements: [placement], recoverMillis: 1_000 } })
      yield* TestClock.adjust("1 second")
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect(yield* later.lines(id)).toEqual(lines)
    })
  )

  it.scoped("if storage is busy right after the answer's commit", () =>
    Effect.gen(function* () {
      const { answer, id, model, one, open, run } = yield* asking()
      yield* model.play(ScriptedModel.text("done"))
      yield* one.close
      yield* TestClock.adjust("2 minutes")
      let failures = 0
      const later = yield* open("later", {
        config: { placements: [placement] },
        storage: (own) => ({
          ...own,
          takeOver: (...given) =>
            failures++ === 0 ? new StorageBusy({ operation: "take over", waitedMillis: 5_000 }) : own.takeOver(...given)
        })
      })
      expect((yield* later.gateway.answer(answer)).answer?.verdict).toBe("allow-once")
      expect((yield* later.gateway.run(run.runId)).state).toBe("running")
      yield* TestClock.adjust("2 seconds")
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
      expect(yield* later.lines(id)).toEqual(lines)
      expect(failures).toBe(2)
    })
  )
})

describe("a question without an answer", () => {
  it.scoped("leaves a run that was left too long ago to a person", () =>
    Effect.gen(function* () {
      const { one, open, run } = yield* asking()
      yield* one.close
      yield* TestClock.adjust("2 minutes")
      const later = yield* open("later", { config: { placements: [placement] } })
      expect(yield* later.gateway.recover()).toEqual([])
      expect((yield* later.gateway.run(run.runId)).state).toBe("running")
    })
  )
})
