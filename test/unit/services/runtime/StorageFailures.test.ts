import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { StoredEnds } from "../../../../src/services/runtime/StoredEnds.js"
import type { Service as StorageService } from "../../../../src/services/storage/Storage.js"
import { considering, ground, type Options } from "./engines.js"

const good = Tool.make("good", { description: "good", input: {} }).handle(() => Effect.succeed("fine"))

const full = new SkeinError.StorageFailed({ operation: "write", code: "SQLITE_FULL" })

const broken = Effect.dieMessage("the driver broke")

/** The disk is full the first time that the operation is called. */
const fullOnce = (storage: StorageService, operation: keyof typeof operations): StorageService => {
  let isFull = true
  const first = Effect.suspend(() => {
    if (!isFull) return Effect.void
    isFull = false
    return full
  })
  return operations[operation](storage, first)
}

type First = Effect.Effect<void, SkeinError.StorageFailed>

const operations = {
  appendStep: (storage: StorageService, first: First): StorageService => ({
    ...storage,
    appendStep: (...step) => Effect.zipRight(first, storage.appendStep(...step))
  }),
  startCall: (storage: StorageService, first: First): StorageService => ({
    ...storage,
    startCall: (...call) => Effect.zipRight(first, storage.startCall(...call))
  }),
  storeResult: (storage: StorageService, first: First): StorageService => ({
    ...storage,
    storeResult: (...call) => Effect.zipRight(first, storage.storeResult(...call))
  }),
  endRun: (storage: StorageService, first: First): StorageService => ({
    ...storage,
    endRun: (...end) => Effect.zipRight(first, storage.endRun(...end))
  })
}

/** A run of two calls over a disk that is full once. */
const running = Effect.fnUntraced(function* (operation: keyof typeof operations, options: Options = {}) {
  const { model, open } = yield* ground
  const engine = yield* open("a", {
    tools: [good],
    policy: considering,
    storage: (storage) => fullOnce(storage, operation),
    ...options
  })
  const call = ScriptedModel.call(good, {})
  yield* model.play({ text: "I call", calls: [call, call] }, ScriptedModel.text("done"))
  return { ...engine, run: yield* engine.begin("go") }
})

describe("P4 when storage fails", () => {
  for (const operation of ["startCall", "storeResult"] as const) {
    it.scoped(`P4 at ${operation}: the run ends as failed with the reason, and its calls are closed`, () =>
      Effect.gen(function* () {
        const { gateway, run, transcript } = yield* running(operation)
        expect(yield* gateway.await(run)).toMatchObject({
          stopReason: "failed",
          detail: "Storage failed to write: SQLITE_FULL"
        })
        const entries = yield* transcript(run.sessionId)
        expect(Transcript.isSendable(entries)).toBe(true)
        expect(entries).toHaveLength(4)
      })
    )
  }

  it.scoped("P4 at appendStep: what the step had written is kept as partial, without its calls", () =>
    Effect.gen(function* () {
      const { gateway, lines, run } = yield* running("appendStep")
      expect((yield* gateway.await(run)).stopReason).toBe("failed")
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: I call …"])
    })
  )

  it.scoped("P4 at endRun: the end is tried again until it is stored, and the session stays held meanwhile", () =>
    Effect.gen(function* () {
      const { gateway, lines, run, seen, send } = yield* running("endRun", { stepLimit: 1 })
      yield* seen(run, "message.appended", 4)
      yield* Quiescence.idle
      expect((yield* Effect.flip(send(run.sessionId, "and?")))._tag).toBe("SessionBusy")
      yield* TestClock.adjust("50 millis")
      expect((yield* gateway.await(run)).stopReason).toBe("step-limit")
      expect((yield* lines(run.sessionId)).slice(1)).toEqual([
        "assistant: I call(good)(good)",
        "good success: fine",
        "good success: fine"
      ])
    })
  )

  it.scoped("P4 at endRun, for long: who cancels is told why, and the end is stored once storage works", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      let isFull = true
      const told: Array<SkeinError.Write> = []
      const failing = (error: SkeinError.Write) => Effect.sync(() => void told.push(error))
      const storage = (storage: StorageService): StorageService => ({
        ...storage,
        endRun: (...end) => Effect.suspend(() => (isFull ? full : storage.endRun(...end)))
      })
      const engine = yield* Effect.provideService(open("a", { storage }), StoredEnds, { failing })
      yield* model.play({ text: "half", hang: true })
      const run = yield* engine.begin("go")
      yield* engine.seen(run, "text.delta")
      const cancelling = yield* Effect.fork(Effect.flip(engine.gateway.cancel(run.runId)))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      expect([cancelling.unsafePoll(), told]).toEqual([null, []])
      yield* TestClock.adjust("1 second")
      expect(yield* cancelling).toEqual(full)
      expect(yield* Effect.flip(engine.gateway.cancel(run.runId))).toEqual(full)
      expect(told).toEqual([full])
      isFull = false
      yield* TestClock.adjust("2 seconds")
      expect(yield* engine.gateway.await(run)).toMatchObject({ stopReason: "cancelled" })
    })
  )

  it.scoped("P4 at endRun, for long: the engine closes at once, after one more attempt", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      let attempts = 0
      const engine = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          endRun: () =>
            Effect.zipRight(
              Effect.sync(() => attempts++),
              full
            )
        })
      })
      yield* model.play({ text: "half", hang: true }, ScriptedModel.text("done"))
      const run = yield* engine.begin("go")
      yield* engine.seen(run, "text.delta")
      yield* Effect.fork(engine.gateway.cancel(run.runId))
      yield* Quiescence.idle
      yield* TestClock.adjust("10 seconds")
      const before = attempts
      const closing = yield* Effect.fork(engine.close)
      yield* Quiescence.idle
      expect(closing.unsafePoll()).not.toBeNull()
      expect(attempts).toBe(before + 1)
      yield* declare("a", "dead")
      const later = yield* open("later")
      yield* later.gateway.await(yield* later.send(run.sessionId, "and?"))
      expect(yield* later.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: half …",
        "user: and?",
        "assistant: done"
      ])
      expect((yield* later.gateway.run(run.runId)).state).toBe("ended")
    })
  )

  it.scoped("P4 at endRun, by breaking: the end is tried again, and who cancelled gets the run's end", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const brokenOnce = yield* Effect.once(broken)
      const engine = yield* open("a", {
        storage: (storage) => ({ ...storage, endRun: (...end) => Effect.zipRight(brokenOnce, storage.endRun(...end)) })
      })
      yield* model.play({ text: "half", hang: true })
      const run = yield* engine.begin("go")
      yield* engine.seen(run, "text.delta")
      const cancelling = yield* Effect.fork(engine.gateway.cancel(run.runId))
      yield* Quiescence.idle
      yield* TestClock.adjust("50 millis")
      yield* cancelling
      expect(yield* engine.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "cancelled" })
    })
  )

  for (const [operation, breaks] of [
    ["endRun", (storage) => ({ ...storage, endRun: () => broken })],
    ["releaseRun", (storage) => ({ ...storage, releaseRun: () => broken })]
  ] as const satisfies ReadonlyArray<readonly [string, (storage: StorageService) => StorageService]>) {
    it.scoped(`P4 at ${operation}, by breaking every time: the engine still closes`, () =>
      Effect.gen(function* () {
        const { model, open } = yield* ground
        const { begin, close, gateway, seen } = yield* open("a", { storage: breaks })
        yield* model.play({ text: "half", hang: true })
        const run = yield* begin("go")
        yield* seen(run, "text.delta")
        if (operation === "endRun") yield* Effect.fork(gateway.cancel(run.runId))
        yield* Quiescence.idle
        const closing = yield* Effect.fork(close)
        yield* Quiescence.idle
        yield* TestClock.adjust("10 seconds")
        expect(closing.unsafePoll()).not.toBeNull()
      })
    )
  }

  it.scoped("P4 at the partial message, by breaking: the run ends without it", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const { begin, gateway, lines, seen } = yield* open("a", {
        storage: (storage) => ({ ...storage, appendStep: () => broken })
      })
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      yield* gateway.cancel(run.runId)
      expect(yield* lines(run.sessionId)).toEqual(["user: go"])
      expect((yield* gateway.run(run.runId)).stopReason).toBe("cancelled")
    })
  )

  it.scoped("P4 at startNext, by breaking several times: the queued message has its turn all the same", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      let left = 5
      const { begin, gateway, seen, send } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          startNext: (...next) => Effect.suspend(() => (left-- > 0 ? broken : storage.startNext(...next)))
        })
      })
      yield* model.play({ text: "half", hang: true }, ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      const queued = yield* send(run.sessionId, "and?", { whenBusy: "queue" })
      yield* gateway.cancel(run.runId)
      yield* TestClock.adjust("1 minute")
      yield* Quiescence.idle
      expect((yield* gateway.run(queued.runId)).stopReason).toBe("completed")
    })
  )

  it.scoped("P4 at a look at who holds a session, by breaking for a while: its queue is watched all the same", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      const one = yield* open("one")
      yield* model.play({ text: "half", hang: true }, ScriptedModel.text("done"), ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "text.delta")
      let isBroken = false
      const two = yield* open("two", {
        reader: (reader) => ({
          ...reader,
          occupancy: (id) => Effect.suspend(() => (isBroken ? broken : reader.occupancy(id)))
        })
      })
      const first = yield* two.send(run.sessionId, "and?", { whenBusy: "queue" })
      yield* TestClock.adjust("5 seconds")
      isBroken = true
      yield* TestClock.adjust("3 seconds")
      isBroken = false
      const second = yield* two.send(run.sessionId, "and then?", { whenBusy: "queue" })
      yield* declare("one", "dead")
      yield* TestClock.adjust("1 minute")
      yield* Quiescence.idle
      for (const { runId } of [first, second]) {
        expect((yield* two.gateway.run(runId)).stopReason).toBe("completed")
      }
    })
  )

  it.scoped("P4 at a sign of life, by breaking: the next one is given in time", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      let given = 0
      const { begin, seen } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          renew: (presence) => Effect.suspend(() => (given++ === 0 ? broken : storage.renew(presence)))
        })
      })
      yield* model.play({ text: "half", hang: true })
      yield* Effect.flatMap(begin("go"), (run) => seen(run, "text.delta"))
      yield* TestClock.adjust("1 minute")
      expect(given).toBeGreaterThan(2)
    })
  )

  it.scoped("P4 at endRun: a partial text is kept once, however often the end is tried", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const { begin, gateway, lines, seen } = yield* open("a", { storage: (storage) => fullOnce(storage, "endRun") })
      yield* model.play({ text: "half", hang: true })
      const run = yield* begin("go")
      yield* seen(run, "text.delta")
      const cancelling = yield* Effect.fork(gateway.cancel(run.runId))
      yield* Quiescence.idle
      yield* TestClock.adjust("50 millis")
      yield* cancelling
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: half …"])
    })
  )

  it.scoped("P4 at releaseRun, every time: the engine still closes, and the next claim ends the run", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      const one = yield* open("one", { storage: (storage) => ({ ...storage, releaseRun: () => full }) })
      yield* model.play({ text: "half", hang: true }, ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "text.delta")
      const closing = yield* Effect.fork(one.close)
      yield* Quiescence.idle
      yield* TestClock.adjust("10 seconds")
      expect(closing.unsafePoll()).not.toBeNull()
      yield* declare("one", "dead")
      const later = yield* open("later")
      expect((yield* later.gateway.run(run.runId)).state).toBe("running")
      yield* later.gateway.await(yield* later.send(run.sessionId, "and?"))
      expect(yield* later.lines(run.sessionId)).toEqual(["user: go", "user: and?", "assistant: done"])
      expect((yield* later.gateway.run(run.runId)).stopReason).toBe("crashed")
    })
  )

  it.scoped("P3 P9 a cancel stops the tool at once, even while no write gets the lock", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      let isStopped = false
      const tool = Tool.make("hold", { description: "holds", input: {} }).handle(() =>
        Effect.onInterrupt(gate.pass("hold"), () => Effect.sync(() => (isStopped = true)))
      )
      let isLocked = false
      const lock = Effect.suspend(() => (isLocked ? gate.pass("unlocked") : Effect.void))
      const { model, open } = yield* ground
      const engine = yield* open("a", {
        tools: [tool],
        storage: (storage) => ({
          ...storage,
          cancelQueued: (runId) => Effect.zipRight(lock, storage.cancelQueued(runId)),
          requestCancel: (runId) => Effect.zipRight(lock, storage.requestCancel(runId)),
          storeResult: (...result) => Effect.zipRight(lock, storage.storeResult(...result)),
          endRun: (...end) => Effect.zipRight(lock, storage.endRun(...end))
        })
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
      const run = yield* engine.begin("go")
      yield* gate.reached("hold")
      isLocked = true
      const cancelling = yield* Effect.fork(engine.gateway.cancel(run.runId))
      yield* Quiescence.idle
      const isWaiting = cancelling.unsafePoll() === null
      const wasStopped = isStopped
      yield* gate.open("unlocked")
      yield* cancelling
      expect([isWaiting, wasStopped]).toEqual([true, true])
      expect((yield* engine.gateway.run(run.runId)).stopReason).toBe("cancelled")
    })
  )

  it.scoped("P5 a call that is no longer pending in storage is not run", () =>
    Effect.gen(function* () {
      const started: Array<string> = []
      const tool = Tool.make("tool", { description: "tool", input: {} }).handle(() =>
        Effect.sync(() => started.push("tool"))
      )
      const { model, open } = yield* ground
      const { begin, gateway, lines } = yield* open("a", {
        tools: [tool],
        policy: considering,
        storage: (storage) => ({ ...storage, startCall: () => Effect.succeed(false) })
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})))
      const run = yield* begin("go")
      yield* gateway.await(run)
      expect(started).toEqual([])
      expect((yield* lines(run.sessionId))[2]).toMatch(/^tool never-started/)
    })
  )
})
