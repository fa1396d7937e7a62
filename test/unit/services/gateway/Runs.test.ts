/** What a client can find out about runs and messages of which it knows little. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Permissions, Run, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"
import { open } from "../runtime/fixture.js"

describe("a client", () => {
  it.scoped("that knows only a run's id gets its ref and can follow the run, even after its end", () =>
    Effect.gen(function* () {
      const { context, gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("one"), ScriptedModel.text("two"))
      const { id } = yield* session()
      yield* gateway.await(yield* send(id, "go"))
      const sent = yield* send(id, "again")
      yield* gateway.await(sent)
      const ref = yield* gateway.runRef(sent.runId)
      expect(ref).toEqual(sent)
      expect(Run.refOf(yield* gateway.run(sent.runId))).toEqual(sent)
      const types = yield* Run.events(ref).pipe(
        Stream.map(({ type }) => type),
        Stream.runCollect,
        Effect.provide(context)
      )
      expect([...types].filter((type) => type.startsWith("run."))).toEqual(["run.started", "run.ended"])
    })
  )

  it.scoped("finds the run of an idempotency key, and a session's runs", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("one"), ScriptedModel.text("two"))
      const { id } = yield* session()
      const first = yield* send(id, "go", { idempotencyKey: "job-1" })
      yield* gateway.await(first)
      const second = yield* send(id, "again")
      yield* gateway.await(second)
      const idsOf = (query: Omit<Run.RunQuery, "sessionId">) =>
        Effect.map(gateway.runs({ sessionId: id, ...query }), (runs) => runs.map((run) => run.id))
      expect(yield* idsOf({})).toEqual([second.runId, first.runId])
      expect(yield* idsOf({ before: second.runId })).toEqual([first.runId])
      expect(yield* idsOf({ idempotencyKey: "job-1" })).toEqual([first.runId])
      expect(yield* idsOf({ idempotencyKey: "job-2" })).toEqual([])
    })
  )

  it.scoped("reads a result that waits beyond the head for an earlier one", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const tool = Tool.make("wait", { description: "waits", input: {} }).handle(() => gate.pass("first"))
      const quick = Tool.make("quick", { description: "is quick", input: {} }).handle(() => Effect.succeed("done"))
      const { begin, gateway, model, seen } = yield* open({ tools: [tool, quick] })
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(tool, {}), ScriptedModel.call(quick, {})),
        ScriptedModel.text("done")
      )
      const run = yield* begin("go")
      const { seq } = yield* seen(run, "call.finished")
      const { sessionId } = run
      expect((yield* gateway.session(sessionId)).head).toBeLessThan(seq)
      expect((yield* gateway.entry({ sessionId, seq })).message).toMatchObject({ role: "tool", text: "done" })
      yield* gate.open("first")
      yield* gateway.await(run)
    })
  )

  it.scoped("learns from a permission's events the call's place and who answered", () =>
    Effect.gen(function* () {
      const tool = Tool.make("write", { description: "writes", input: {} }).handle(() => Effect.succeed("done"))
      const { begin, gateway, model, seen } = yield* open({ tools: [tool], policy: Permissions.askToWrite })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      const { questionId, seq } = yield* seen(run, "permission.asked")
      yield* gateway.answer({ questionId, verdict: "allow-once", by: "ann" })
      yield* gateway.await(run)
      expect(yield* seen(run, "permission.answered")).toMatchObject({ seq, by: "ann" })
      expect(yield* seen(run, "call.finished")).toMatchObject({ seq })
    })
  )

  it.scoped("learns from a snapshot the oldest event that it can replay", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      const { cursor, oldest } = yield* gateway.snapshot(id)
      const events = yield* Stream.runCollect(Stream.take(gateway.events({ sessionId: id }), 1))
      expect([...events].filter(SessionEvent.isDurable).map((event) => event.cursor)).toEqual([oldest])
      expect(oldest).toBeLessThanOrEqual(cursor)
    })
  )
})
