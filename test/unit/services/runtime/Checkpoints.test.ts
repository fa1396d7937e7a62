import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import type { Service as StorageService } from "../../../../src/services/storage/Storage.js"
import { ground, type Options } from "./engines.js"
import { interrupted } from "./leaving.js"

const unreachable = Effect.fail(new SkeinError.StorageFailed({ operation: "reach storage", code: "ECONNREFUSED" }))

/** A storage that can be cut off from an engine. */
const cable = () => {
  let isCut = false
  return {
    cut: (now: boolean) => Effect.sync(() => void (isCut = now)),
    storage: (storage: StorageService): StorageService => ({
      ...storage,
      renew: (presence) => (isCut ? Effect.never : storage.renew(presence)),
      releaseRun: (lease) => (isCut ? unreachable : storage.releaseRun(lease))
    })
  }
}

/** A run of engine `one` with a tool that does one thing, waits at a gate, and does another. */
const running = (own: Options = {}) =>
  Effect.gen(function* () {
    const gate = yield* Gate.make
    const world = yield* ground
    const done: Array<string> = []
    const doing = (what: string) => Effect.sync(() => void done.push(what))
    const part = (name: string) =>
      Effect.andThen(gate.pass(name), doing(`more of ${name}`)).pipe(Effect.onInterrupt(() => doing(`end of ${name}`)))
    const tool = Tool.make("work", { description: "works", input: {} }).handle(() =>
      Effect.as(Effect.all([part("one"), part("other")], { concurrency: "unbounded", discard: true }), "worked")
    )
    const options = { tools: [tool], config: { leaseMillis: 15_000, drainMillis: 0 } }
    const { cut, storage } = cable()
    const one = yield* world.open("one", { ...options, host: "a", storage, ...own })
    const other = yield* world.open("other", { ...options, host: "b", clock: "another" })
    yield* world.declare("one", "unknown")
    yield* world.model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
    const run = yield* one.begin("go")
    yield* gate.reached("one")
    yield* gate.reached("other")
    const pass = (time: Parameters<typeof TestClock.adjust>[0]) =>
      Effect.zipRight(TestClock.adjust(time), Quiescence.idle)
    return { ...world, cut, done, gate, one, other, pass, run }
  })

const ends = ["end of one", "end of other"]

describe("P9 many hosts: an engine whose signs of life do not reach storage", () => {
  it.scoped("P9 lets its runs go after two thirds of its lease, and another engine continues them", () =>
    Effect.gen(function* () {
      const { cut, done, one, other, pass, run } = yield* running()
      yield* pass("1 minute")
      expect(done).toEqual([])
      yield* cut(true)
      yield* pass("9 seconds")
      expect(done).toEqual([])
      yield* pass("1 second")
      expect(done.toSorted()).toEqual(ends)
      expect((yield* one.gateway.run(run.runId)).state).toBe("running")
      yield* cut(false)
      yield* pass("2 seconds")
      expect(yield* one.gateway.run(run.runId)).toMatchObject({ state: "running", releasedAt: expect.any(Number) })
      expect((yield* other.lines(run.sessionId)).slice(2)).toEqual([`work interrupted: ${interrupted}`])
      yield* other.gateway.recover()
      expect((yield* other.gateway.await(run)).stopReason).toBe("completed")
      expect(done.toSorted()).toEqual(ends)
    })
  )

  it.scoped(
    "P9 lets its runs go before another engine takes over, and writes nothing when it reaches storage again",
    () =>
      Effect.gen(function* () {
        const { cut, done, one, other, pass, run } = yield* running()
        yield* cut(true)
        yield* pass("10 seconds")
        expect(done.toSorted()).toEqual(ends)
        const sending = yield* Effect.fork(other.send(run.sessionId, "mine"))
        yield* pass("40 seconds")
        yield* other.gateway.await(yield* sending)
        expect((yield* other.gateway.run(run.runId)).stopReason).toBe("lease-lost")
        const told = yield* other.told(run.sessionId)
        yield* cut(false)
        yield* pass("1 minute")
        expect((yield* one.gateway.await(run)).stopReason).toBe("lease-lost")
        expect(yield* other.told(run.sessionId)).toEqual(told)
      })
  )

  it.scoped("P9 keeps its runs if its next sign reaches storage in time", () =>
    Effect.gen(function* () {
      const { cut, done, gate, one, pass, run } = yield* running()
      for (let time = 0; time < 5; time++) {
        yield* cut(true)
        yield* pass("4 seconds")
        yield* cut(false)
        yield* pass("6 seconds")
      }
      expect(done).toEqual([])
      yield* gate.open("one")
      yield* gate.open("other")
      expect((yield* one.gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("P9 keeps its runs if no other host shares its storage", () =>
    Effect.gen(function* () {
      const { cut, done, gate, one, pass, run } = yield* running({ host: null })
      yield* cut(true)
      yield* pass("5 minutes")
      expect(done).toEqual([])
      yield* gate.open("one")
      yield* gate.open("other")
      expect((yield* one.gateway.await(run)).stopReason).toBe("completed")
    })
  )
})

describe("P9 many hosts: an engine whose process was stopped", () => {
  it.scoped("P9 checks its clock before anything else in its runs goes on", () =>
    Effect.gen(function* () {
      let missed = 0
      const { done, gate, one, pass, run } = yield* running({ missed: () => missed })
      missed = 60_000
      // No timer has fired yet: the first to wake up is a fiber of the tool.
      yield* gate.open("other")
      yield* Quiescence.idle
      expect(done.toSorted()).toEqual(ends)
      yield* pass("1 second")
      expect(yield* one.gateway.run(run.runId)).toMatchObject({ state: "running", releasedAt: expect.any(Number) })
    })
  )

  it.scoped("P9 goes on with its runs if the stop was short", () =>
    Effect.gen(function* () {
      let missed = 0
      const { done, gate, one, run } = yield* running({ missed: () => missed })
      missed = 9_000
      yield* gate.open("other")
      yield* gate.open("one")
      expect((yield* one.gateway.await(run)).stopReason).toBe("completed")
      expect(done).toEqual(["more of other", "more of one"])
    })
  )
})
