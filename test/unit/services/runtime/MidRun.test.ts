import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Model, SkeinError, Tool, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"
import { ground } from "./engines.js"
import { open } from "./fixture.js"

const blocking = (gate: Gate.Gate) =>
  Tool.make("block", { description: "waits", input: {} }).handle(() => Effect.as(gate.pass("block"), "done"))

/** A run whose tool is at its gate. */
const blocked = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = blocking(gate)
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
  const run = yield* engine.begin("go")
  yield* gate.reached("block")
  return { ...engine, gate, run }
})

describe("P7 one boundary, held for the change and not for the run", () => {
  it.scoped("P7 a session is renamed while a tool of its run is blocked", () =>
    Effect.gen(function* () {
      const { gate, gateway, run, told } = yield* blocked
      expect((yield* gateway.patch({ sessionId: run.sessionId, title: " New\n title " })).title).toBe("New title")
      expect((yield* gateway.session(run.sessionId)).title).toBe("New title")
      yield* gate.open("block")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* told(run.sessionId)).filter((line) => line === "session.renamed")).toHaveLength(2)
    })
  )

  it.scoped("P7 metadata changes field by field while a tool is blocked", () =>
    Effect.gen(function* () {
      const { gateway, run } = yield* blocked
      yield* gateway.patch({ sessionId: run.sessionId, metadata: { a: 1, b: { c: [2] } } })
      const { metadata } = yield* gateway.patch({ sessionId: run.sessionId, metadata: { a: null, d: "x" } })
      expect(metadata).toEqual({ b: { c: [2] }, d: "x" })
      expect((yield* gateway.run(run.runId)).state).toBe("running")
    })
  )

  it.scoped("P7 an asset is saved, read and deleted while a tool is blocked", () =>
    Effect.gen(function* () {
      const { gateway, run } = yield* blocked
      const { sessionId } = run
      const content = Stream.make(new TextEncoder().encode("hello"))
      const { id: assetId } = yield* gateway.saveAsset({ sessionId, mediaType: "text/plain", content })
      const pieces = yield* Stream.runCollect(Stream.decodeText(gateway.openAsset({ sessionId, assetId })))
      expect([...pieces].join("")).toBe("hello")
      yield* gateway.deleteAsset(sessionId, assetId)
      expect(yield* gateway.assets(sessionId)).toEqual([])
    })
  )

  it.scoped("P7 no change waits for a file that is being removed", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        files: (files) => ({ ...files, remove: (place) => Effect.zipRight(gate.pass("remove"), files.remove(place)) })
      })
      const { id: sessionId } = yield* session()
      const content = Stream.make(new TextEncoder().encode("hello"))
      const { id: assetId } = yield* gateway.saveAsset({ sessionId, mediaType: "text/plain", content })
      const removing = yield* Effect.fork(gateway.deleteAsset(sessionId, assetId))
      yield* gate.reached("remove")
      expect((yield* gateway.patch({ sessionId, title: "New" })).title).toBe("New")
      yield* gate.open("remove")
      yield* Fiber.join(removing)
    })
  )

  it.scoped("P7 a change that is not allowed during a run is refused at once, without waiting", () =>
    Effect.gen(function* () {
      const { gateway, run } = yield* blocked
      const { runId, sessionId } = run
      const busy = new SkeinError.SessionBusy({ sessionId, runId })
      const message = { role: "user", parts: [{ type: "text", text: "hi" }] } as const
      expect(yield* Effect.flip(gateway.append(sessionId, [message]))).toEqual(busy)
      expect(yield* Effect.flip(gateway.resume(sessionId))).toEqual(busy)
    })
  )

  it.scoped("P7 other sessions are not affected", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, run } = yield* blocked
      yield* model.play(ScriptedModel.text("other"))
      const other = yield* begin("hello")
      expect((yield* gateway.await(other)).stopReason).toBe("completed")
      expect((yield* gateway.run(run.runId)).state).toBe("running")
    })
  )
})

/** Answers with its name; the first step of each session asks for the tool that blocks. */
const named = (name: string): Model.Model => ({
  provider: "test",
  model: name,
  contextTokens: null,
  step: ({ options, view }) => {
    const call = { type: "call", index: 0, name: "block", input: "{}", providerCallId: "c" } as const
    const text = { type: "text", id: "t", delta: `${name} ${options.temperature ?? "default"}` } as const
    const finish = { type: "finish", reason: "stop", usage: Usage.unknown } as const
    return Stream.make(text, ...(view.length === 1 ? [call] : []), finish)
  }
})

describe("P7 the model in use", () => {
  const models = Model.resolve(({ model }) =>
    model?.model === "gone"
      ? new SkeinError.ModelUnavailable({ model: "test/gone", detail: "no such model" })
      : Effect.succeed(named(model?.model ?? "usual"))
  )

  const start = Effect.gen(function* () {
    const gate = yield* Gate.make
    const { open } = yield* ground
    const engine = yield* open("a", { tools: [blocking(gate)], models })
    const run = yield* engine.begin("go")
    yield* gate.reached("block")
    return { ...engine, gate, run }
  })

  it.scoped("P7 is sampled when a step starts: a change during a blocked tool counts from the next step", () =>
    Effect.gen(function* () {
      const { gate, gateway, run, transcript } = yield* start
      const model = { provider: "test", model: "better", options: { temperature: 0.5 } }
      expect((yield* gateway.patch({ sessionId: run.sessionId, model })).model).toEqual(model)
      yield* gate.open("block")
      yield* gateway.await(run)
      const texts = (yield* transcript(run.sessionId)).flatMap(({ message }) =>
        message.role === "assistant" ? [[message.model.model, message.parts[0]]] : []
      )
      expect(texts).toMatchObject([
        ["usual", { text: "usual default" }],
        ["better", { text: "better 0.5" }]
      ])
    })
  )

  it.scoped("P7 that does not exist ends the run as failed, with the reason", () =>
    Effect.gen(function* () {
      const { gate, gateway, run } = yield* start
      yield* gateway.patch({ sessionId: run.sessionId, model: { provider: "test", model: "gone" } })
      yield* gate.open("block")
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "Model test/gone is not available: no such model"
      })
    })
  )

  it.scoped("P7 changes for many sessions, each with its own outcome", () =>
    Effect.gen(function* () {
      const { gateway, run, session } = yield* start
      const { id } = yield* session()
      yield* gateway.delete(id)
      const changes = yield* gateway.patchMany({
        sessionIds: [id, run.sessionId],
        model: { provider: "test", model: "better" }
      })
      expect(changes).toMatchObject([
        { _tag: "Failed", sessionId: id, error: { _tag: "SessionNotFound" } },
        { _tag: "Changed", session: { id: run.sessionId, model: { model: "better" } } }
      ])
      expect((yield* gateway.patch({ sessionId: run.sessionId, model: null })).model).toBeNull()
    })
  )
})

describe("a host's own models", () => {
  const interrupted = Model.resolve(() => Effect.interrupt)
  it.scoped("that interrupt themselves fail the run, which does not count as cancelled", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const { begin, gateway } = yield* open("a", { models: interrupted })
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "the run was interrupted from within"
      })
    })
  )
})
