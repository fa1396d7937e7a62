/** What becomes of messages whose answers are lost, or that nothing answers. */
import { describe, expect, it } from "@effect/vitest"
import { SocketGenericError } from "@effect/platform/Socket"
import { Effect, Fiber, Redacted, TestClock } from "effect"
import { Actor, Permissions, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as Placements from "../../../../src/adapters/cluster/Placements.js"
import * as Router from "../../../../src/adapters/cluster/Router.js"
import { Ids } from "../../../../src/services/Ids.js"
import { ground } from "../../services/runtime/engines.js"

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("allowed"))

const settings = {
  url: Redacted.make(""),
  schema: "skein",
  shards: 1,
  shardLockMillis: 15_000,
  assignMillis: 3_000,
  healthMillis: 10_000,
  reachMillis: 2_000,
  giveUpMillis: 30_000
}

/** Two engines over one storage: `other` does what `one` is asked, and `reply` decides what becomes of its answer. */
const routed = (
  hasEngine: boolean,
  reply: <A, E>(answer: Effect.Effect<A, E>) => Effect.Effect<A, E | SkeinError.StorageUnusable>
) =>
  Effect.gen(function* () {
    const world = yield* ground
    const options = { tools: [ask], policy: Permissions.askToWrite }
    const one = yield* world.open("one", options)
    const other = yield* world.open("other", options)
    const asked: Array<string> = []
    const as = (actor: Actor.Actor | null) => Actor.as(actor)
    const gateway = Router.make({
      local: one.gateway,
      hasEngine,
      isHere: () => false,
      client: (entityId) => {
        asked.push(entityId)
        const there = other.gateway
        return {
          send: ({ actor, input }) => reply(as(actor)(there.send(input))),
          resume: ({ actor, input }) => reply(as(actor)(there.resume(input.sessionId, input.of))),
          append: ({ actor, input }) =>
            reply(as(actor)(there.append(input.sessionId, input.messages, input.idempotencyKey))),
          answer: ({ actor, input }) => reply(as(actor)(there.answer(input))),
          cancel: ({ actor, input }) => reply(as(actor)(there.cancel(input.runId)))
        }
      },
      placementOf: Placements.make(one.gateway),
      ids: yield* Effect.provide(Ids, Identity.layerIds),
      settings
    })
    return { ...world, one, gateway, asked }
  })

const lost = <A, E>(answer: Effect.Effect<A, E>) => Effect.zipRight(Effect.exit(answer), Effect.never)

const waited = <A, E>(effect: Effect.Effect<A, E>, time: "2 seconds" | "30 seconds") =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* Quiescence.idle
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

describe("a message in a cluster", () => {
  it.scoped("is stored once, with its actor, when its answer is lost, even without a key from the host", () =>
    Effect.gen(function* () {
      const { asked, gateway, model, one } = yield* routed(true, lost)
      yield* model.play(ScriptedModel.text("done"))
      const { id } = yield* one.session()
      const eve = Actor.Actor.make("eve")
      const ref = yield* waited(Actor.as(eve)(gateway.send({ sessionId: id, text: "go" })), "2 seconds")
      expect(yield* gateway.await(ref)).toMatchObject({ stopReason: "completed", actor: "eve" })
      expect((yield* gateway.runs({ sessionId: id })).length).toBe(1)
      expect(asked).toEqual([`/${id}`])
    })
  )

  it.scoped("that answers a question counts once when its reply is lost; a second answer is refused", () =>
    Effect.gen(function* () {
      const { gateway, model, one } = yield* routed(true, lost)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "permission.asked")
      const [question] = yield* gateway.questions({ sessionId: run.sessionId })
      if (question === undefined) return expect.fail("nothing was asked")
      const given = { questionId: question.id, verdict: "allow-once", by: "eve" } as const
      const answered = yield* waited(gateway.answer(given), "2 seconds")
      expect(answered.answer).toMatchObject({ verdict: "allow-once", by: "eve" })
      const late = yield* Effect.flip(waited(gateway.answer({ ...given, verdict: "deny" }), "2 seconds"))
      expect(late._tag).toBe("QuestionAnswered")
    })
  )

  it.scoped("fails where there is no engine, after eight runners have been asked and none has answered", () =>
    Effect.gen(function* () {
      const { asked, gateway, one } = yield* routed(false, () => Effect.never)
      const { id } = yield* one.session()
      const failed = yield* Effect.flip(waited(gateway.send({ sessionId: id, text: "go" }), "30 seconds"))
      expect(failed).toMatchObject({ _tag: "RunnersUnreachable", sessionId: id, waitedMillis: 30_000 })
      expect(asked).toEqual([`/${id}`, ...Array.from({ length: 7 }, (_, index) => `/${id}/${index + 1}`)])
      expect(yield* gateway.runs({ sessionId: id })).toEqual([])
    })
  )

  it.scoped("fails with the error of the runner that refused it, and no other runner is asked", () =>
    Effect.gen(function* () {
      const { asked, gateway, model, one } = yield* routed(true, (answer) => answer)
      yield* model.play(ScriptedModel.hang)
      const { sessionId } = yield* one.begin("go")
      const busy = yield* Effect.flip(gateway.send({ sessionId, text: "more" }))
      expect(busy._tag).toBe("SessionBusy")
      expect(asked).toEqual([`/${sessionId}`])
    })
  )

  it.scoped(
    "is obeyed by another engine when a newer version has migrated the database under the one that was asked",
    () =>
      Effect.gen(function* () {
        const outdated = new SkeinError.StorageUnusable({ path: "there", reason: "newer-version", detail: "9" })
        const { asked, gateway, model, one } = yield* routed(true, () => outdated)
        yield* model.play(ScriptedModel.text("done"))
        const { id } = yield* one.session()
        const ref = yield* gateway.send({ sessionId: id, text: "go" })
        expect((yield* gateway.await(ref)).stopReason).toBe("completed")
        expect(asked).toEqual([`/${id}`])
      })
  )

  it.scoped("is not lost when its connection breaks", () =>
    Effect.gen(function* () {
      const broken = new SocketGenericError({ reason: "Write", cause: new Error("write EPIPE") })
      const { gateway, model, one } = yield* routed(true, () => Effect.die(broken))
      yield* model.play(ScriptedModel.text("done"))
      const { id } = yield* one.session()
      const ref = yield* gateway.send({ sessionId: id, text: "go" })
      expect((yield* gateway.await(ref)).stopReason).toBe("completed")
    })
  )

  it.scoped(
    "fails as unreachable where each connection closes before the answer: nobody has interrupted its caller",
    () =>
      Effect.gen(function* () {
        const { asked, gateway, one } = yield* routed(false, () => Effect.interrupt)
        const { id } = yield* one.session()
        const error = yield* Effect.flip(gateway.send({ sessionId: id, text: "go" }))
        expect(error).toBeInstanceOf(SkeinError.RunnersUnreachable)
        expect(asked).toHaveLength(8)
      })
  )
})
