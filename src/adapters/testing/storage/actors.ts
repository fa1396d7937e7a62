import { Effect, Option } from "effect"
import { userText } from "../../../domain/Message.js"
import * as Actor from "../../../services/Actor.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  a1,
  admission,
  allowForSession,
  append,
  appendStep,
  asset,
  assistant,
  create,
  createAndStart,
  events,
  firstEngine,
  newSession,
  openBatch,
  q1,
  q2,
  q3,
  question,
  r1,
  r2,
  r3,
  result,
  s1,
  secondEngine,
  seq,
  start,
  storeResult,
  takeover,
  transcript
} from "./fixture.js"
import type { Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const asAnn = Actor.as(Actor.Actor.make("ann"))
const asBob = Actor.as(Actor.Actor.make("bob"))

/** The events after a cursor as lines, each with its actor and type. */
const whose = (after = 0) =>
  Effect.map(events(after), (all) => all.map(({ actor, type }) => `${actor ?? "nobody"} ${type}`))

const actorsOf = <A extends { readonly actor: string | null }>(all: ReadonlyArray<A>) => all.map(({ actor }) => actor)

export const actorTests = (test: Test) => {
  test("a change to a session records its fiber's actor, or no actor if none is set", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* asAnn(create())
      yield* asBob(storage.patch(s1, { title: "x", model: null, agent: null, workdir: null }))
      yield* storage.patch(s1, { title: "y" })
      yield* asBob(storage.saveAsset(asset()))
      yield* asAnn(storage.deleteAsset(s1, a1))
      expect(yield* whose()).toEqual([
        "ann session.created",
        "bob session.renamed",
        "bob session.model",
        "bob session.agent",
        "bob session.moved",
        "nobody session.renamed",
        "bob asset.saved",
        "ann asset.deleted"
      ])
    }))

  test("appended messages and their events record the actor; another actor's retry leaves them unchanged", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* create()
      const key = { key: "k", hash: "h" }
      const appended = yield* asAnn(append(s1, [userText("a"), assistant("b")], key))
      expect(actorsOf(appended)).toEqual(["ann", "ann"])
      yield* append(s1, [userText("c")])
      expect(yield* asBob(append(s1, [userText("a"), assistant("b")], key))).toEqual(appended)
      expect(actorsOf(yield* transcript())).toEqual(["ann", "ann", null])
      expect((yield* reader.entry({ sessionId: s1, seq: seq(2) })).actor).toBe("ann")
      expect(yield* whose(1)).toEqual(["ann message.appended", "ann message.appended", "nobody message.appended"])
    }))

  test("concurrent writes record an actor each", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create()
      const rename = (title: string) => storage.patch(s1, { title })
      yield* Effect.all([asAnn(rename("a")), rename("b"), asBob(rename("c")), asAnn(rename("d"))], {
        concurrency: "unbounded"
      })
      expect((yield* whose(1)).toSorted()).toEqual([
        "ann session.renamed",
        "ann session.renamed",
        "bob session.renamed",
        "nobody session.renamed"
      ])
    }))

  test("a run's start, message and title record the sender; its own work records no actor, whoever does it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      yield* storage.createSession(newSession({ title: null }))
      const { lease, run } = yield* asAnn(start())
      expect(run.actor).toBe("ann")
      const work = Effect.gen(function* () {
        yield* openBatch(lease, "c1", "c2")
        yield* storage.startCall(lease, seq(3))
        yield* storeResult(lease, seq(4), result("c2"))
        expect(actorsOf((yield* reader.openBatch(s1)).stored)).toEqual([null])
        yield* storeResult(lease, seq(3), result("c1"))
        yield* appendStep(lease, assistant("done"))
        yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      })
      yield* asBob(work)
      expect(actorsOf(yield* transcript())).toEqual(["ann", null, null, null, null])
      expect((yield* whose(1)).slice(0, 3)).toEqual(["ann run.started", "ann message.appended", "ann session.renamed"])
      expect(new Set(actorsOf(yield* events(4)))).toEqual(new Set([null]))
      expect(yield* reader.run(r1)).toMatchObject({ actor: "ann", state: "ended" })
      expect(actorsOf(yield* reader.runs({ sessionId: s1 }))).toEqual(["ann"])
    }))

  test("a queued message records its sender, whoever starts its run", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      const queued = yield* asBob(storage.admit(admission({ runId: r2, whenBusy: "queue" })))
      expect(queued).toMatchObject({ _tag: "Queued", run: { actor: "bob" } })
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      const { cursor } = yield* (yield* StorageReader).session(s1)
      const next = yield* asAnn(storage.startNext(s1, firstEngine))
      expect(Option.getOrThrow(next).run.actor).toBe("bob")
      expect(actorsOf(yield* transcript())).toEqual([null, "bob"])
      expect(yield* whose(cursor)).toEqual(["bob run.started", "bob message.appended"])
    }))

  test("a resumed run records the actor who resumed it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* asAnn(createAndStart())
      yield* storage.endRun(lease, { stopReason: "crashed", detail: null })
      const { cursor } = yield* (yield* StorageReader).session(s1)
      const resumption = { sessionId: s1, runId: r3, of: "newest", presence: firstEngine } as const
      expect(yield* asBob(storage.resume(resumption))).toMatchObject({ run: { id: r3, actor: "bob" } })
      expect(yield* whose(cursor)).toEqual(["bob run.started"])
    }))

  test("an answer records its actor with each question that it answers; a denial at a run's end records none", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2", "c3")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      yield* storage.ask(lease, { ...question(q2, 4, "c2"), tool: "tool-c1" })
      const { cursor } = yield* (yield* StorageReader).session(s1)
      yield* asBob(storage.answer(q1, allowForSession))
      expect(yield* whose(cursor)).toEqual(["bob permission.answered", "bob permission.answered"])
      yield* storage.ask(lease, question(q3, 5, "c3"))
      const { cursor: asked } = yield* (yield* StorageReader).session(s1)
      yield* asAnn(storage.endRun(lease, { stopReason: "cancelled", detail: null }))
      expect(yield* whose(asked)).toContain("nobody permission.answered")
      expect(new Set(actorsOf(yield* events(asked)))).toEqual(new Set([null]))
    }))

  test("a run's end records the first actor who cancelled the run", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const { lease } = yield* createAndStart()
      yield* storage.admit(admission({ runId: r2, whenBusy: "queue" }))
      const { cursor } = yield* reader.session(s1)
      yield* asBob(storage.cancelQueued(r2))
      yield* asAnn(storage.requestCancel(r1))
      yield* asBob(storage.requestCancel(r1))
      const held = yield* reader.heldRuns(firstEngine.engine.instance)
      expect(held.map(({ cancelledBy, stopRequest }) => [stopRequest, cancelledBy])).toEqual([["cancelled", "ann"]])
      yield* storage.endRun(lease, { stopReason: "cancelled", detail: null, actor: held[0]?.cancelledBy ?? null })
      expect(yield* whose(cursor)).toEqual(["bob run.ended", "ann run.ended"])
    }))

  test("the end of a released run records who cancelled it, whoever takes it over", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1")
      yield* storage.releaseRun(lease)
      yield* asAnn(storage.requestCancel(r1))
      const { cursor } = yield* (yield* StorageReader).session(s1)
      const released = { ...takeover({ ...lease, fence: lease.fence + 1 }, 0), reason: "released" } as const
      expect(yield* asBob(storage.takeOver(released, secondEngine))).toEqual({ _tag: "Ended" })
      expect(yield* whose(cursor)).toEqual(["nobody call.finished", "nobody message.appended", "ann run.ended"])
    }))
}
