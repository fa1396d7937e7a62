import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Permissions, Session } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ground, type Options } from "./engines.js"
import { asked } from "./leaving.js"

const placement = "left"
const id = Session.Id.make("placed")

/** Two engines over one storage, of which only `left` serves the placement, and a session with that placement. */
const two = (options: Options = {}) =>
  Effect.gen(function* () {
    const world = yield* ground
    const left = yield* world.open("left", {
      ...options,
      config: { placements: ["other", placement], ...options.config }
    })
    const right = yield* world.open("right", options)
    yield* right.gateway.create({ id, workdir: "/", placement })
    return { ...world, left, right }
  })

describe("P9 a session with a placement", () => {
  it.scoped("takes messages only where its placement is served, but can be read everywhere", () =>
    Effect.gen(function* () {
      const { left, model, right } = yield* two()
      expect((yield* left.gateway.session(id)).placement).toBe(placement)
      const refusal = { _tag: "PlacementNotServed", sessionId: id, placement, served: [] }
      expect(yield* Effect.flip(right.send(id, "hello"))).toMatchObject(refusal)
      expect(yield* Effect.flip(right.send(id, "hello", { whenBusy: "queue" }))).toMatchObject(refusal)
      expect(yield* Effect.flip(right.gateway.resume(id))).toMatchObject(refusal)
      expect(yield* right.lines(id)).toEqual([])
      yield* model.play(ScriptedModel.text("hi"))
      expect((yield* right.gateway.await(yield* left.send(id, "hello"))).stopReason).toBe("completed")
      expect(yield* right.lines(id)).toEqual(["user: hello", "assistant: hi"])
    })
  )

  it.scoped("goes on where its placement is served, once its engine has left", () =>
    Effect.gen(function* () {
      const { declare, left, model, open, right } = yield* two({ config: { recovery: "continue" } })
      yield* model.play(ScriptedModel.hang)
      const run = yield* left.send(id, "hello")
      yield* Quiescence.idle
      yield* left.close
      yield* declare("left", "dead")
      const waiting = yield* Effect.fork(right.gateway.await(run))
      expect(yield* right.gateway.recover()).toEqual([])
      yield* TestClock.adjust("1 minute")
      yield* Quiescence.idle
      expect(waiting.unsafePoll()).toBeNull()
      yield* model.play(ScriptedModel.text("hi"))
      const later = yield* open("later", { config: { placements: [placement] } })
      expect(yield* later.gateway.recover()).toEqual([id])
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("takes an answer from any engine, and goes on where its placement is served", () =>
    Effect.gen(function* () {
      const options = { tools: [asked], policy: Permissions.askToWrite }
      const { left, model, open, right } = yield* two(options)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asked, {})), ScriptedModel.text("done"))
      const run = yield* left.send(id, "hello")
      const { questionId } = yield* left.seen(run, "permission.asked")
      yield* left.close
      yield* right.gateway.answer({ questionId, verdict: "allow-once" })
      yield* Quiescence.idle
      expect(yield* right.gateway.run(run.runId)).toMatchObject({ state: "running", releasedAt: expect.any(Number) })
      const later = yield* open("later", { ...options, config: { placements: [placement] } })
      expect(yield* later.gateway.recover()).toEqual([id])
      expect((yield* later.gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("can have its run cancelled by any engine, once its own has left", () =>
    Effect.gen(function* () {
      const { left, model, right } = yield* two()
      yield* model.play(ScriptedModel.hang)
      const run = yield* left.send(id, "hello")
      const queued = yield* left.send(id, "later", { whenBusy: "queue" })
      yield* Quiescence.idle
      yield* left.close
      const cancelling = yield* Effect.fork(right.gateway.cancel(run.runId))
      yield* Quiescence.idle
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(cancelling)
      expect(yield* right.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "cancelled" })
      expect(yield* right.gateway.run(queued.runId)).toMatchObject({ state: "queued" })
    })
  )

  it.scoped("can be deleted by any engine", () =>
    Effect.gen(function* () {
      const { left, model, right } = yield* two()
      yield* model.play(ScriptedModel.hang)
      yield* left.send(id, "hello")
      yield* Quiescence.idle
      yield* left.close
      yield* right.gateway.delete(id)
      expect((yield* Effect.flip(right.gateway.session(id)))._tag).toBe("SessionNotFound")
    })
  )
})
