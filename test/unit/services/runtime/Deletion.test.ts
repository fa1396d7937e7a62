import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Stream, TestClock } from "effect"
import { type Gateway, Permissions, type Run, Session, SessionEvent, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { WorkProgress } from "../../../../src/services/WorkProgress.js"
import { ground, stopped } from "./engines.js"
import { open } from "./fixture.js"

const atOnce = { concurrency: "unbounded" } as const

const blocking = (gate: Gate.Gate) =>
  Tool.make("block", { description: "waits", input: {} }).handle(() => Effect.as(gate.pass("block"), "done"))

const stubborn = (gate: Gate.Gate) =>
  Tool.make("block", { description: "waits, come what may", input: {} }).handle(() =>
    Effect.uninterruptible(Effect.zipRight(gate.pass("block"), Tool.progress("still here")))
  )

/** A run whose tool is at its gate, in a session that also has an asset. */
const blocked = Effect.fnUntraced(function* (
  toolOf: (gate: Gate.Gate) => ReturnType<typeof blocking | typeof stubborn>
) {
  const gate = yield* Gate.make
  const tool = toolOf(gate)
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
  const run = yield* engine.begin("go")
  const content = Stream.make(new Uint8Array(3))
  const asset = yield* engine.gateway.saveAsset({ sessionId: run.sessionId, mediaType: "text/plain", content })
  yield* gate.reached("block")
  return { ...engine, gate, run, asset }
})

/** Checks that every operation on the session fails because the session is not found. */
const expectGone = Effect.fnUntraced(function* (gateway: Gateway.Service, { runId, sessionId }: Run.Ref) {
  const missing = new SkeinError.SessionNotFound({ sessionId })
  const gone = (effect: Effect.Effect<unknown, unknown>) =>
    Effect.map(Effect.flip(effect), (error) => expect(error).toEqual(missing))
  yield* gone(gateway.session(sessionId))
  yield* gone(gateway.snapshot(sessionId))
  yield* gone(gateway.assets(sessionId))
  yield* gone(gateway.questions({ sessionId }))
  yield* gone(Stream.runDrain(gateway.transcript({ sessionId })))
  yield* gone(Stream.runDrain(gateway.events({ sessionId })))
  yield* gone(gateway.send({ sessionId, text: "hello?" }))
  yield* gone(gateway.resume(sessionId))
  yield* gone(gateway.patch({ sessionId, title: "x" }))
  yield* gone(gateway.patch({ sessionId, model: null }))
  yield* gone(gateway.patch({ sessionId, metadata: {} }))
  yield* gone(gateway.append(sessionId, []))
  yield* gone(gateway.delete(sessionId))
  expect(yield* Effect.flip(gateway.run(runId))).toEqual(new SkeinError.RunNotFound({ runId }))
  expect(yield* Effect.flip(gateway.cancel(runId))).toEqual(new SkeinError.RunNotFound({ runId }))
  expect((yield* gateway.sessions({ total: true })).total).toBe(0)
  expect(yield* gateway.questions()).toEqual([])
})

const watch = (gateway: Gateway.Service, sessionId: Session.Id) =>
  gateway.events({ sessionId }).pipe(Stream.runCollect, Effect.map(Chunk.toReadonlyArray), Effect.fork)

describe("P7 P11 deletion during a run", () => {
  for (const [what, toolOf] of [
    ["honours", blocking],
    ["ignores", stubborn]
  ] as const) {
    it.scoped(
      `P7 a tool that ${what} interruption: the run ends first, then nothing is left and nothing comes back`,
      () =>
        Effect.gen(function* () {
          const { asset, gate, gateway, run } = yield* blocked(toolOf)
          const watcher = yield* watch(gateway, run.sessionId)
          yield* Quiescence.idle
          yield* gateway.delete(run.sessionId)
          const events = yield* watcher
          expect(events.slice(-5)).toMatchObject([
            { type: "call.started" },
            { type: "call.finished", outcome: "interrupted" },
            { type: "message.appended", role: "tool" },
            { type: "run.ended", stopReason: "deleted" },
            { type: "session.deleted" }
          ])
          yield* expectGone(gateway, run)
          const read = gateway.openAsset({ sessionId: run.sessionId, assetId: asset.id })
          expect((yield* Effect.flip(Stream.runDrain(read)))._tag).toBe("SessionNotFound")
          yield* gate.open("block")
          yield* Quiescence.idle
          yield* expectGone(gateway, run)
        })
    )
  }

  it.scoped("P7 a question that waits is closed as denied, and its call never started", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = blocking(gate)
      const engine = yield* open({ tools: [tool], policy: Permissions.askToWrite })
      const { begin, gateway, model, seen } = engine
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
      const run = yield* begin("go")
      const { questionId } = yield* seen(run, "permission.asked")
      const watcher = yield* watch(gateway, run.sessionId)
      yield* Quiescence.idle
      yield* gateway.delete(run.sessionId)
      expect((yield* watcher).slice(-5)).toMatchObject([
        { type: "permission.answered", verdict: "deny" },
        { type: "call.finished", outcome: "never-started" },
        { type: "message.appended", role: "tool" },
        { type: "run.ended", stopReason: "deleted" },
        { type: "session.deleted" }
      ])
      yield* expectGone(gateway, run)
      const missing = new SkeinError.QuestionNotFound({ questionId })
      expect(yield* Effect.flip(gateway.question(questionId))).toEqual(missing)
      expect(yield* Effect.flip(gateway.answer({ questionId, verdict: "allow-once" }))).toEqual(missing)
    })
  )

  it.scoped("P7 while the model writes removes the written text, too", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* open()
      yield* model.play({ text: "half an answer", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      yield* gateway.delete(run.sessionId)
      yield* expectGone(gateway, run)
    })
  )

  for (const [first, second] of [
    ["cancelled", "deleted"],
    ["deleted", "cancelled"]
  ] as const) {
    it.scoped(`P7 a run that is ${first} and then ${second} before it ends has the stop reason ${first}`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const tool = blocking(gate)
        const { model, open } = yield* ground
        const { begin, gateway } = yield* open("a", {
          tools: [tool],
          storage: (storage) => ({
            ...storage,
            storeResult: (...result) => Effect.zipRight(gate.pass("store"), storage.storeResult(...result))
          })
        })
        yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
        const run = yield* begin("go")
        yield* gate.open("block")
        yield* gate.reached("store")
        const watcher = yield* watch(gateway, run.sessionId)
        const stop = (how: typeof first): Effect.Effect<void, SkeinError.Cancel | SkeinError.Delete> =>
          how === "deleted" ? gateway.delete(run.sessionId) : gateway.cancel(run.runId)
        const stopping = yield* Effect.fork(stop(first))
        yield* Quiescence.idle
        const again = yield* Effect.fork(stop(second))
        yield* Quiescence.idle
        yield* gate.open("store")
        yield* stopping
        yield* again
        expect((yield* watcher).find(SessionEvent.is("run.ended"))).toMatchObject({ stopReason: first })
      })
    )
  }

  it.scoped("P7 removes queued runs with the session; they never start", () =>
    Effect.gen(function* () {
      const { gate, gateway, model, run, send } = yield* blocked(blocking)
      const queued = yield* send(run.sessionId, "later", { whenBusy: "queue" })
      const waiting = yield* Effect.fork(Effect.flip(gateway.await(queued)))
      yield* Quiescence.idle
      yield* gateway.delete(run.sessionId)
      expect((yield* waiting)._tag).toBe("RunNotFound")
      yield* gate.open("block")
      yield* Quiescence.idle
      yield* expectGone(gateway, queued)
      expect(yield* model.requests).toHaveLength(1)
    })
  )

  it.scoped("P11 the id is free again, and the new session has nothing of the old one", () =>
    Effect.gen(function* () {
      const { gateway, lines, run, session } = yield* blocked(blocking)
      const { sessionId } = run
      const watcher = yield* watch(gateway, sessionId)
      yield* Quiescence.idle
      expect((yield* Effect.flip(session({ id: sessionId })))._tag).toBe("SessionExists")
      yield* gateway.delete(sessionId)
      const { cursor: last } = (yield* watcher).filter(SessionEvent.isDurable).at(-2) ?? { cursor: 0 }
      const anew = yield* session({ id: sessionId })
      expect(anew).toMatchObject({ head: 0, title: "New session", metadata: {} })
      expect(yield* lines(sessionId)).toEqual([])
      expect(yield* gateway.assets(sessionId)).toEqual([])
      expect(anew.cursor).toBeGreaterThan(last)
      const stale = yield* Effect.flip(Stream.runDrain(gateway.events({ sessionId, after: Session.Cursor.make(last) })))
      expect(stale._tag).toBe("CursorGone")
    })
  )
})

describe("P7 P11 a deletion goes on", () => {
  for (const step of ["beginDelete", "hide", "purge"] as const) {
    it.scoped(`P11 when its caller is interrupted during ${step}`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const { open } = yield* ground
        const { gateway, session } = yield* open("a", {
          storage: (storage) => ({
            ...storage,
            beginDelete: (id) => Effect.tap(storage.beginDelete(id), () => gate.pass("beginDelete")),
            hide: (id) => Effect.zipRight(gate.pass("hide"), storage.hide(id)),
            purge: (id) => Effect.zipRight(gate.pass("purge"), storage.purge(id))
          })
        })
        for (const other of ["beginDelete", "hide", "purge"]) if (other !== step) yield* gate.open(other)
        const { id } = yield* session()
        const watcher = yield* watch(gateway, id)
        yield* Quiescence.idle
        const client = yield* Effect.fork(gateway.delete(id))
        yield* gate.reached(step)
        yield* Fiber.interrupt(client)
        yield* gate.open(step)
        expect((yield* watcher).at(-1)?.type).toBe("session.deleted")
        yield* Quiescence.idle
        yield* session({ id })
      })
    )
  }

  it.scoped("P11 and leaves neither a file nor a row behind", () =>
    Effect.gen(function* () {
      const { files, model, open, reader } = yield* ground
      const { begin, gateway, send } = yield* open("a")
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      const { sessionId } = run
      const queued = yield* send(sessionId, "more", { whenBusy: "queue", idempotencyKey: "k" })
      yield* gateway.saveAsset({ sessionId, mediaType: "text/plain", content: Stream.make(new Uint8Array(3)) })
      expect(yield* files.folders).toHaveLength(1)
      yield* gateway.delete(sessionId)
      expect(yield* files.folders).toEqual([])
      expect(yield* reader.deleting).toEqual([])
      for (const { runId } of [run, queued]) expect((yield* Effect.flip(reader.run(runId)))._tag).toBe("RunNotFound")
    })
  )

  it.scoped("reports its progress in rows to a caller who wants it; otherwise the rows are not counted", () =>
    Effect.gen(function* () {
      let counts = 0
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        reader: (reader) => ({
          ...reader,
          storedRows: (id) => Effect.tap(reader.storedRows(id), () => void counts++)
        })
      })
      const reports: Array<readonly [done: number, total: number]> = []
      const watched = yield* session()
      yield* gateway.append(
        watched.id,
        ["a", "b", "c"].map((text) => ({ role: "user", parts: [{ type: "text", text }] }))
      )
      yield* Effect.provideService(gateway.delete(watched.id), WorkProgress, (_, done, total) =>
        Effect.sync(() => void reports.push([done, total]))
      )
      const [first, last] = [reports[0], reports.at(-1)]
      expect(first?.[0]).toBe(0)
      expect(last).toEqual([first?.[1], first?.[1]])
      expect(last?.[0]).toBeGreaterThanOrEqual(3)
      yield* gateway.delete((yield* session()).id)
      expect(counts).toBe(1)
    })
  )

  it.scoped("P11 when two callers ask for it at once: both learn that it is done", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* open()
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      const twice = [gateway.delete(run.sessionId), gateway.delete(run.sessionId)]
      yield* Effect.all(twice, atOnce)
      yield* expectGone(gateway, run)
    })
  )

  it.scoped("P11 when another engine's sweep is faster, the caller learns that it is done", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      const { gateway, session } = yield* open("a", {
        storage: (own) => ({ ...own, hide: (id) => Effect.zipRight(storage.hide(id), own.hide(id)) })
      })
      const { id } = yield* session()
      yield* gateway.delete(id)
      yield* session({ id })
    })
  )

  it.scoped("P11 after its engine died: the first change of another finishes it, even if others are stuck", () =>
    Effect.gen(function* () {
      const { model, open, storage } = yield* ground
      const other = yield* open("other")
      const before = yield* Effect.replicateEffect(other.session(), 4)
      yield* model.play({ text: "busy", hang: true })
      const held = yield* other.begin("go")
      yield* other.seen(held, "text.delta")
      const begun = [...before, ...(yield* Effect.replicateEffect(other.session(), 4))]
      const hidden = yield* other.session()
      for (const id of [held.sessionId, hidden.id, ...begun.map(({ id }) => id)]) yield* storage.beginDelete(id)
      yield* storage.hide(hidden.id)
      const later = yield* open("later")
      yield* Quiescence.idle
      yield* later.session()
      yield* Quiescence.idle
      yield* TestClock.adjust("11 seconds")
      for (const { id } of [hidden, ...begun]) yield* other.session({ id })
    })
  )

  it.scoped("P11 a new session can take the id of a session that a dead engine only hid", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      const { session } = yield* open("a")
      const { id } = yield* session()
      yield* storage.beginDelete(id)
      yield* storage.hide(id)
      expect((yield* session({ id })).id).toBe(id)
    })
  )

  it.scoped("P11 a late removal leaves the files of a new session with the same id alone", () =>
    Effect.gen(function* () {
      const hidden = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          hide: (id) =>
            Effect.zipLeft(storage.hide(id), Effect.zipRight(Deferred.succeed(hidden, undefined), Deferred.await(goOn)))
        })
      })
      const { id } = yield* session()
      const deleting = yield* Effect.fork(gateway.delete(id))
      yield* Deferred.await(hidden)
      yield* session({ id })
      const content = Stream.make(new Uint8Array(3))
      const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "text/plain", content })
      yield* Deferred.succeed(goOn, undefined)
      yield* deleting
      const bytes = yield* Stream.runCollect(gateway.openAsset({ sessionId: id, assetId: asset.id }))
      expect([...bytes]).toEqual([new Uint8Array(3)])
    })
  )
})

describe("P7 P11 two engines that work on one id", () => {
  const content = Stream.make(new Uint8Array(3))
  const saved = (gateway: Gateway.Service, sessionId: Session.Id) =>
    gateway.saveAsset({ sessionId, mediaType: "text/plain", content })

  it.scoped(
    "P2 P11 a session created again by another engine while the old files are removed keeps its own files",
    () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const { files, open } = yield* ground
        const one = yield* open("one", {
          reader: (reader) => ({
            ...reader,
            session: (id) => Effect.tapErrorTag(reader.session(id), "SessionNotFound", () => gate.pass("gone"))
          })
        })
        const other = yield* open("other")
        const { id } = yield* one.session()
        yield* saved(one.gateway, id)
        const deleting = yield* Effect.fork(one.gateway.delete(id))
        yield* gate.reached("gone")
        yield* other.session({ id })
        const asset = yield* saved(other.gateway, id)
        yield* gate.open("gone")
        yield* deleting
        const bytes = yield* Stream.runCollect(other.gateway.openAsset({ sessionId: id, assetId: asset.id }))
        expect([...bytes]).toEqual([new Uint8Array(3)])
        expect(yield* files.folders).toHaveLength(1)
      })
  )
})

describe("P7 P9 deletion of a session that another engine runs", () => {
  const elsewhere = (options: Parameters<Effect.Effect.Success<typeof ground>["open"]>[1] = {}) =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { declare, model, open } = yield* ground
      const tool = blocking(gate)
      const one = yield* open("one", { tools: [tool], ...options })
      const other = yield* open("other", { tools: [tool] })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* gate.reached("block")
      return { declare, gate, one, other, run }
    })

  it.scoped("P9 stops its run there, and removes the session", () =>
    Effect.gen(function* () {
      const { gate, one, other, run } = yield* elsewhere()
      const watcher = yield* watch(one.gateway, run.sessionId)
      yield* other.gateway.delete(run.sessionId)
      const events = yield* watcher
      expect(events.at(-1)?.type).toBe("session.deleted")
      expect(events.find(SessionEvent.is("run.ended"))).toMatchObject({ stopReason: "deleted" })
      yield* gate.open("block")
      yield* Quiescence.idle
      yield* expectGone(one.gateway, run)
    })
  )

  it.scoped("P9 waits for an unresponsive engine as long as its lease lasts, and then goes on", () =>
    Effect.gen(function* () {
      const { gate, one, other, run } = yield* elsewhere(stopped)
      const deleting = yield* Effect.fork(other.gateway.delete(run.sessionId))
      yield* Quiescence.idle
      yield* TestClock.adjust("14 seconds")
      yield* Quiescence.idle
      expect((yield* one.gateway.run(run.runId)).state).toBe("running")
      expect((yield* Effect.flip(one.send(run.sessionId, "more")))._tag).toBe("SessionDeleting")
      yield* TestClock.adjust("16 seconds")
      yield* deleting
      yield* gate.open("block")
      yield* Quiescence.idle
      yield* expectGone(one.gateway, run)
    })
  )

  it.scoped("P9 takes a dead engine's run over and ends it", () =>
    Effect.gen(function* () {
      const { declare, gate, one, other, run } = yield* elsewhere()
      yield* declare("one", "dead")
      const watcher = yield* watch(other.gateway, run.sessionId)
      yield* Quiescence.idle
      yield* other.gateway.delete(run.sessionId)
      expect((yield* watcher).at(-1)?.type).toBe("session.deleted")
      yield* gate.open("block")
      yield* Quiescence.idle
      yield* expectGone(one.gateway, run)
    })
  )
})
