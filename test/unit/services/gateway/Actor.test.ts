import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema, Stream } from "effect"
import { Actor, Gateway, Permissions, type Session, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { ground } from "../runtime/engines.js"
import { of, open, type Opened } from "../runtime/fixture.js"

const ann = Actor.Actor.make("ann")
const bob = Actor.Actor.make("bob")

/** The durable events up to now, as lines: the actor and the type of each. */
const whose = ({ gateway }: Pick<Opened, "gateway">, sessionId: Session.Id) =>
  Effect.flatMap(gateway.session(sessionId), ({ cursor }) =>
    gateway.events({ sessionId }).pipe(
      Stream.filter(SessionEvent.isDurable),
      Stream.takeUntil((event) => event.cursor >= cursor),
      Stream.runFold<ReadonlyArray<string>, SessionEvent.Durable>([], (lines, { actor, type }) => [
        ...lines,
        `${actor ?? "nobody"} ${type}`
      ])
    )
  )

const content = Stream.make(new Uint8Array(3))

/** Every kind of change that leaves an event, in one session. */
const changes = ({ gateway, model }: Pick<Opened, "gateway"> & { readonly model: ScriptedModel.Service }) =>
  Effect.gen(function* () {
    const { id: sessionId } = yield* gateway.create({ workdir: "/" })
    yield* gateway.append(sessionId, [{ role: "user", parts: [{ type: "text", text: "before" }] }])
    yield* gateway.patch({ sessionId, title: "x" })
    yield* gateway.patchMany({ sessionIds: [sessionId], agent: null })
    const asset = yield* gateway.saveAsset({ sessionId, mediaType: "a/b", content })
    yield* gateway.deleteAsset(sessionId, asset.id)
    yield* model.play(ScriptedModel.hang)
    const run = yield* gateway.send({ sessionId, text: "hi" })
    const queued = yield* gateway.send({ sessionId, text: "later", whenBusy: "queue" })
    yield* gateway.cancel(queued.runId)
    yield* Quiescence.idle
    yield* gateway.cancel(run.runId)
    yield* model.play(ScriptedModel.text("there"))
    const resumed = yield* gateway.resume(sessionId)
    yield* gateway.await(resumed)
    return { sessionId, run, resumed }
  })

const told = (actor: string) => [
  `${actor} session.created`,
  `${actor} message.appended`,
  `${actor} session.renamed`,
  `${actor} session.agent`,
  `${actor} asset.saved`,
  `${actor} asset.deleted`,
  `${actor} run.started`,
  `${actor} message.appended`,
  `${actor} run.queued`,
  `${actor} run.ended`,
  `${actor} run.ended`,
  `${actor} run.started`,
  "nobody message.appended",
  "nobody run.ended"
]

const asks = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("ran"))

describe("Actor", () => {
  it("is a text of 1 to 256 characters that can be stored", () => {
    const read = Schema.decodeUnknownEither(Actor.Actor)
    for (const good of ["a", "ann@example.org", "x".repeat(256)]) expect(read(good)).toEqual(Either.right(good))
    for (const bad of ["", "x".repeat(257), "a\0b", "\uD800", 1]) expect(Either.isLeft(read(bad))).toBe(true)
  })

  it.scoped("as: each change, run and sent message has the actor, and the run's own work has none", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const { gateway, transcript } = engine
      const { resumed, run, sessionId } = yield* Actor.as(ann)(changes(engine))
      expect(yield* whose(engine, sessionId)).toEqual(told("ann"))
      expect((yield* transcript(sessionId)).map(({ actor }) => actor)).toEqual(["ann", "ann", null])
      expect((yield* gateway.run(run.runId)).actor).toBe("ann")
      expect((yield* gateway.run(resumed.runId)).actor).toBe("ann")
    })
  )

  it.scoped("without an actor, each change is nobody's", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const { sessionId } = yield* changes(engine)
      expect(yield* whose(engine, sessionId)).toEqual(told("nobody"))
    })
  )

  it.scoped("restrict: each change has the restriction's actor, whatever actor the fiber has", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const narrowed = yield* Effect.provide(Gateway.restrict({ actor: bob }), engine.context)
      const { sessionId } = yield* Actor.as(ann)(changes({ ...engine, gateway: narrowed }))
      expect(yield* whose(engine, sessionId)).toEqual(told("bob"))
    })
  )

  it.scoped("restrict: a restricted gateway that is restricted again keeps its actor", () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const twice = Gateway.restricted({ actor: ann })(Gateway.restrict({ actor: bob, scope: "write" }))
      const { create } = yield* Effect.provide(twice, engine.context)
      expect(yield* whose(engine, (yield* create({})).id)).toEqual(["ann session.created"])
    })
  )

  it.scoped("restrict: an answer has the restriction's actor, too", () =>
    Effect.gen(function* () {
      const engine = yield* open({ tools: [asks], policy: Permissions.askToWrite })
      const { begin, gateway, model, seen } = engine
      const narrowed = yield* Effect.provide(Gateway.restrict({ actor: bob }), engine.context)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asks, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      const { questionId } = yield* seen(run, "permission.asked")
      yield* narrowed.answer({ questionId, verdict: "allow-once" })
      expect(yield* seen(run, "permission.answered")).toMatchObject({ actor: "bob", by: "bob" })
      yield* gateway.await(run)
    })
  )

  it.scoped("P7 a run that ends because its session is deleted has no actor for its end", () =>
    Effect.gen(function* () {
      const engine = yield* open({ tools: [asks], policy: Permissions.askToWrite })
      const { begin, gateway, model, seen } = engine
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asks, {})))
      const run = yield* begin("go")
      yield* seen(run, "permission.asked")
      const told = yield* Effect.fork(seen(run, "run.ended"))
      yield* Quiescence.idle
      yield* Actor.as(ann)(gateway.delete(run.sessionId))
      expect(yield* told).toMatchObject({ stopReason: "deleted", actor: null })
    })
  )

  it.scoped("P7 a cancelled run that ends because its session is deleted has no actor for its end", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const { begin, gateway, seen } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          appendStep: (...step) => Effect.zipRight(gate.pass("store"), storage.appendStep(...step))
        })
      })
      yield* model.play(ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gate.reached("store")
      const told = yield* Effect.fork(seen(run, "run.ended"))
      const cancelling = yield* Effect.fork(Actor.as(bob)(gateway.cancel(run.runId)))
      yield* Quiescence.idle
      const deleting = yield* Effect.fork(Actor.as(ann)(gateway.delete(run.sessionId)))
      yield* Quiescence.idle
      yield* gate.open("store")
      expect(yield* told).toMatchObject({ stopReason: "deleted", actor: null })
      yield* cancelling
      yield* deleting
    })
  )

  it.scoped("an answer is by its actor, unless it names somebody else", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* open({ tools: [asks], policy: Permissions.askToWrite })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(asks, {}), ScriptedModel.call(asks, {})))
      const run = yield* begin("go")
      const first = yield* seen(run, "permission.asked")
      const second = yield* seen(run, "permission.asked", 2)
      const answer = (questionId: typeof first.questionId, by?: string) =>
        Actor.as(ann)(gateway.answer({ questionId, verdict: "deny", by }))
      expect((yield* answer(first.questionId)).answer?.by).toBe("ann")
      expect((yield* answer(second.questionId, "Ann herself")).answer?.by).toBe("Ann herself")
      expect(yield* seen(run, "permission.answered", 2)).toMatchObject({ actor: "ann", by: "Ann herself" })
    })
  )

  it.scoped("a change by a tool has no actor, not even the sender of the message", () =>
    Effect.gen(function* () {
      let rename: Effect.Effect<unknown, unknown> = Effect.void
      const patches = Tool.make("rename", { description: "renames", input: {} }).handle(() =>
        Effect.orDie(
          Effect.as(
            Effect.suspend(() => rename),
            "done"
          )
        )
      )
      const engine = yield* open({ tools: [patches] })
      const { gateway, model, session } = engine
      const { id: sessionId } = yield* session({ title: "x" })
      rename = gateway.patch({ sessionId, title: "y" })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(patches, {})), ScriptedModel.text("done"))
      const run = yield* Actor.as(ann)(gateway.send({ sessionId, text: "go" }))
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* whose(engine, sessionId)).filter((line) => line.includes("renamed"))).toEqual([
        "nobody session.renamed"
      ])
    })
  )

  it.scoped("a run that is cancelled from another engine ends with the actor who cancelled it", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const first = yield* open("a")
      const second = yield* open("b")
      yield* model.play(ScriptedModel.hang)
      const run = yield* first.begin("go")
      yield* Quiescence.idle
      yield* Actor.as(bob)(second.gateway.cancel(run.runId))
      expect(yield* of(second.gateway).seen(run, "run.ended")).toMatchObject({ actor: "bob", stopReason: "cancelled" })
    })
  )
})
