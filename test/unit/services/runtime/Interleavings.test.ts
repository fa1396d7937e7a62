import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Stream, TestClock } from "effect"
import { SkeinError } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { newSession, s1 } from "../../../../src/adapters/testing/storage/fixture.js"
import { ground } from "./engines.js"

describe("what happens at the same time in one engine", () => {
  it.scoped("P10 a run that starts before the previous run is cleared away keeps its live part", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const { begin, gateway, seen, send } = yield* open("a", {
        storage: (own) => ({
          ...own,
          appendStep: (...step) => Effect.zipLeft(own.appendStep(...step), gate.pass("ended"))
        })
      })
      yield* Effect.addFinalizer(() => gate.open("ended"))
      yield* model.play(ScriptedModel.text("done"), { text: "half", hang: true })
      const first = yield* begin("one")
      yield* gate.reached("ended")
      const second = yield* send(first.sessionId, "two")
      yield* seen(second, "text.delta")
      yield* gate.open("ended")
      yield* Quiescence.idle
      expect((yield* gateway.snapshot(first.sessionId)).live).toMatchObject({ runId: second.runId })
    })
  )

  it.scoped("P9 a run that starts while the engine checks for lost leases does not count as lost", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const { begin, gateway, seen } = yield* open("a", {
        reader: (own) => ({ ...own, heldRuns: (engine) => Effect.zipLeft(own.heldRuns(engine), gate.pass("looked")) })
      })
      yield* Effect.addFinalizer(() => gate.open("looked"))
      yield* model.play({ text: "one", hang: true }, { text: "two", hang: true })
      const first = yield* begin("one")
      yield* gate.reached("looked")
      const second = yield* begin("two")
      yield* seen(second, "text.delta")
      yield* gate.open("looked")
      yield* Quiescence.idle
      for (const run of [first, second]) {
        yield* gateway.cancel(run.runId)
        expect((yield* gateway.run(run.runId)).stopReason).toBe("cancelled")
      }
    })
  )

  it.scoped("P10 old events are removed even if deletions cannot be finished", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      yield* storage.createSession(newSession())
      yield* storage.patch(s1, { title: "old" })
      yield* TestClock.adjust("100 days")
      const failed = new SkeinError.StorageFailed({ operation: "read the deletions", code: "SQLITE_IOERR_READ" })
      const { gateway } = yield* open("a", { reader: (own) => ({ ...own, deleting: failed }) })
      const { cursor } = yield* gateway.patch({ sessionId: s1, title: "new" })
      yield* Quiescence.idle
      const oldest = yield* Stream.runHead(gateway.events({ sessionId: s1 }))
      expect(Option.getOrNull(oldest)).toMatchObject({ type: "session.renamed", cursor })
    })
  )
})
