import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { Asset, Message, Run, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { admission, newSession, s1 } from "../../../../src/adapters/testing/storage/fixture.js"
import { ground } from "./engines.js"
import { open } from "./fixture.js"

/** A run whose tool is at its gate, and models for the runs after it. */
const blocked = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = Tool.make("block", { description: "waits", input: {} }).handle(() => gate.pass("block"))
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("first"))
  const run = yield* engine.begin("one")
  yield* gate.reached("block")
  return { ...engine, gate, run }
})

describe("send", () => {
  it.scoped("returns while the run goes on, with a ref that sees the whole run", () =>
    Effect.gen(function* () {
      const { gateway, model, send, seen, session, told } = yield* open()
      yield* model.play(ScriptedModel.text("hi"))
      const { id } = yield* session()
      const run = yield* send(id, "hello")
      expect((yield* gateway.run(run.runId)).state).toBe("running")
      yield* gateway.await(run)
      expect((yield* seen(run, "run.started")).cursor).toBe(run.cursor + 1)
      expect(yield* told(id, run.cursor)).toEqual([
        "run.started",
        "message.appended user",
        "session.renamed",
        "message.appended assistant",
        "run.ended completed"
      ])
    })
  )

  it.scoped("to a busy session is refused, and nothing is stored", () =>
    Effect.gen(function* () {
      const { gateway, run, send } = yield* blocked
      const before = yield* gateway.snapshot(run.sessionId)
      const busy = new SkeinError.SessionBusy({ sessionId: run.sessionId, runId: run.runId })
      expect(yield* Effect.flip(send(run.sessionId, "two"))).toEqual(busy)
      expect(yield* gateway.snapshot(run.sessionId)).toEqual(before)
    })
  )

  it.scoped("queued runs start one after the other, in the order in which they came", () =>
    Effect.gen(function* () {
      const { gate, gateway, lines, model, run, send, told } = yield* blocked
      yield* model.play(ScriptedModel.text("second"), ScriptedModel.text("third"))
      const [two, three] = [
        yield* send(run.sessionId, "two", { whenBusy: "queue" }),
        yield* send(run.sessionId, "three", { whenBusy: "queue" })
      ]
      expect((yield* gateway.run(two.runId)).state).toBe("queued")
      expect((yield* gateway.snapshot(run.sessionId)).queued.map(({ id }) => id)).toEqual([two.runId, three.runId])
      expect(yield* lines(run.sessionId)).toHaveLength(2)
      yield* gate.open("block")
      expect((yield* gateway.await(three)).stopReason).toBe("completed")
      expect(yield* lines(run.sessionId)).toEqual([
        "user: one",
        "assistant: (block)",
        "block success: ",
        "assistant: first",
        "user: two",
        "assistant: second",
        "user: three",
        "assistant: third"
      ])
      expect((yield* told(run.sessionId, two.cursor)).filter((line) => line.startsWith("run."))).toEqual([
        "run.queued",
        "run.queued",
        "run.ended completed",
        "run.started",
        "run.ended completed",
        "run.started",
        "run.ended completed"
      ])
    })
  )

  it.scoped("a queued run that is cancelled leaves the queue without having begun", () =>
    Effect.gen(function* () {
      const { gate, gateway, lines, model, run, send } = yield* blocked
      yield* model.play(ScriptedModel.text("third"))
      const two = yield* send(run.sessionId, "two", { whenBusy: "queue" })
      const three = yield* send(run.sessionId, "three", { whenBusy: "queue" })
      yield* gateway.cancel(two.runId)
      expect(yield* gateway.run(two.runId)).toMatchObject({ state: "ended", stopReason: "cancelled", startedAt: null })
      yield* gateway.cancel(two.runId)
      expect((yield* gateway.run(run.runId)).state).toBe("running")
      yield* gate.open("block")
      yield* gateway.await(three)
      expect(yield* lines(run.sessionId)).not.toContain("user: two")
    })
  )

  it.scoped("a caller that waits for a queued run returns at once when it is cancelled", () =>
    Effect.gen(function* () {
      const { gateway, run, send } = yield* blocked
      const two = yield* send(run.sessionId, "two", { whenBusy: "queue" })
      const waiting = yield* Effect.fork(gateway.await(two))
      yield* Quiescence.idle
      yield* gateway.cancel(two.runId)
      expect((yield* waiting).stopReason).toBe("cancelled")
    })
  )

  it.scoped("waiting for a run needs only its id: a ref with a wrong session does no harm", () =>
    Effect.gen(function* () {
      const { gate, gateway, run, session } = yield* blocked
      const { id } = yield* session()
      const waiting = yield* Effect.fork(gateway.await({ ...run, sessionId: id }))
      yield* Quiescence.idle
      yield* gate.open("block")
      expect((yield* waiting).stopReason).toBe("completed")
    })
  )

  it.scoped("a cancelled run makes way for the queued ones", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, run, send } = yield* blocked
      yield* model.play(ScriptedModel.text("second"))
      const two = yield* send(run.sessionId, "two", { whenBusy: "queue" })
      yield* gateway.cancel(run.runId)
      expect((yield* gateway.await(two)).stopReason).toBe("completed")
      expect((yield* lines(run.sessionId)).slice(-2)).toEqual(["user: two", "assistant: first"])
    })
  )

  it.scoped("twice at the same time starts only one run", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("hi"), ScriptedModel.text("hi again"))
      const { id } = yield* session()
      const sends = yield* Effect.all([Effect.either(send(id, "a")), Effect.either(send(id, "b"))], {
        concurrency: "unbounded"
      })
      expect(sends.map(({ _tag }) => _tag)).toEqual(["Right", "Left"])
      for (const sent of sends) if (sent._tag === "Right") yield* gateway.await(sent.right)
      expect(yield* lines(id)).toEqual(["user: a", "assistant: hi"])
    })
  )

  it.scoped("resume continues from the transcript as it is", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, session } = yield* open()
      yield* model.play(ScriptedModel.text("hi"))
      const { id } = yield* session()
      yield* gateway.append(id, [{ role: "user", parts: [{ type: "text", text: "hello" }] }])
      yield* gateway.await(yield* gateway.resume(id))
      expect(yield* lines(id)).toEqual(["user: hello", "assistant: hi"])
    })
  )

  it.scoped("the model sees a file, or a note if the file is gone by then", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("a picture"), ScriptedModel.text("what picture?"))
      const { id } = yield* session()
      const missing = yield* Effect.flip(
        send(id, "look", { files: [{ assetId: Asset.AssetId.make("ast_none"), mediaType: "text/plain" }] })
      )
      expect(missing._tag).toBe("AssetNotFound")
      const content = Stream.make(new Uint8Array(3))
      const { id: assetId } = yield* gateway.saveAsset({ sessionId: id, mediaType: "text/plain", content })
      yield* gateway.await(yield* send(id, "look", { files: [{ assetId, mediaType: "text/plain", name: "n.txt" }] }))
      yield* gateway.deleteAsset(id, assetId)
      yield* gateway.await(yield* send(id, "again"))
      const views = (yield* model.requests).map(({ view }) => JSON.stringify(view[0]))
      expect(views[0]).toContain(assetId)
      expect(views[1]).toContain('[The file \\"n.txt\\" of type text/plain was deleted.]')
      expect((yield* lines(id))[0]).toBe("user: look[file]")
    })
  )
})

describe("a file of a message", () => {
  it.scoped("has the type that the asset was saved with, whatever the message calls it", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session, transcript } = yield* open()
      yield* model.play(ScriptedModel.text("I see"))
      const { id } = yield* session()
      const content = Stream.make(new Uint8Array(3))
      const { id: assetId } = yield* gateway.saveAsset({ sessionId: id, mediaType: "text/plain", content })
      yield* gateway.await(yield* send(id, "look", { files: [{ assetId, mediaType: "image/png" }] }))
      const [asked] = yield* transcript(id)
      expect(asked?.message).toMatchObject({ parts: [{ type: "text" }, { type: "file", mediaType: "text/plain" }] })
    })
  )
})

describe("an idempotency key", () => {
  it.scoped("belongs to one run, whatever became of it", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, send, session } = yield* open()
      yield* model.play({ text: "half", hang: true })
      const { id } = yield* session()
      const key = { idempotencyKey: "k" }
      const run = yield* send(id, "hello", key)
      expect(yield* send(id, "hello", key)).toEqual(run)
      yield* gateway.cancel(run.runId)
      expect(yield* send(id, "hello", key)).toEqual(run)
      expect((yield* lines(id)).filter((line) => line.startsWith("user"))).toEqual(["user: hello"])
    })
  )

  it.scoped("is refused for another message, or for other metadata", () =>
    Effect.gen(function* () {
      const { model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("hi"))
      const { id } = yield* session()
      const run = yield* send(id, "hello", { idempotencyKey: "k", metadata: { user: "ann" } })
      const conflict = new SkeinError.IdempotencyConflict({ sessionId: id, idempotencyKey: "k", runId: run.runId })
      const metadata = { user: "ann" }
      expect(yield* Effect.flip(send(id, "bye", { idempotencyKey: "k", metadata }))).toEqual(conflict)
      expect(yield* Effect.flip(send(id, "hello", { idempotencyKey: "k" }))).toEqual(conflict)
    })
  )

  it.scoped("is not consumed by a refusal", () =>
    Effect.gen(function* () {
      const { gate, gateway, model, run, send } = yield* blocked
      yield* model.play(ScriptedModel.text("second"))
      const key = { idempotencyKey: "k" }
      expect((yield* Effect.flip(send(run.sessionId, "two", key)))._tag).toBe("SessionBusy")
      yield* gate.open("block")
      yield* gateway.await(run)
      const other = yield* send(run.sessionId, "another text", key)
      expect((yield* gateway.await(other)).stopReason).toBe("completed")
    })
  )

  it.scoped("finds a queued run too", () =>
    Effect.gen(function* () {
      const { gateway, run, send } = yield* blocked
      const fields = { idempotencyKey: "k", whenBusy: "queue" } as const
      const two = yield* send(run.sessionId, "two", fields)
      expect(yield* send(run.sessionId, "two", fields)).toEqual(two)
      expect((yield* gateway.snapshot(run.sessionId)).queued).toHaveLength(1)
    })
  )

  it.scoped("belongs to its session", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("one"), ScriptedModel.text("two"))
      const [first, second] = [yield* session(), yield* session()]
      const key = { idempotencyKey: "k" }
      yield* gateway.await(yield* send(first.id, "hello", key))
      yield* gateway.await(yield* send(second.id, "something else", key))
    })
  )

  it.scoped("belongs to its message, in whatever order the fields of metadata and files come", () =>
    Effect.gen(function* () {
      const { gateway, run, send } = yield* blocked
      const { id: assetId } = yield* gateway.saveAsset({
        sessionId: run.sessionId,
        mediaType: "text/plain",
        content: Stream.make(new TextEncoder().encode("hello"))
      })
      const fields = { idempotencyKey: "k", whenBusy: "queue" } as const
      const two = yield* send(run.sessionId, "two", {
        ...fields,
        metadata: { user: "ann", at: [{ x: 1, y: { a: 1, b: 2 } }] },
        files: [{ assetId, mediaType: "text/plain", name: "a" }]
      })
      const again = yield* send(run.sessionId, "two", {
        ...fields,
        metadata: { at: [{ y: { b: 2, a: 1 }, x: 1 }], user: "ann" },
        files: [{ name: "a", mediaType: "text/plain", assetId }]
      })
      expect(again).toEqual(two)
      const other = send(run.sessionId, "two", {
        ...fields,
        metadata: { user: "ann", at: [{ x: 1, y: { a: 2, b: 1 } }] },
        files: [{ assetId, mediaType: "text/plain", name: "a" }]
      })
      expect((yield* Effect.flip(other))._tag).toBe("IdempotencyConflict")
    })
  )

  it.scoped("belongs to its message once a file of it is deleted, whatever type the message gives the file", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("I see"))
      const { id } = yield* session()
      const save = (text: string) =>
        gateway.saveAsset({
          sessionId: id,
          mediaType: "text/plain",
          content: Stream.make(new TextEncoder().encode(text))
        })
      const [one, other] = [yield* save("one"), yield* save("other")]
      const look = ({ id: assetId }: Asset.Asset, mediaType: string) =>
        send(id, "look", { idempotencyKey: "k", files: [{ assetId, mediaType }] })
      const run = yield* look(one, "image/png")
      yield* gateway.await(run)
      yield* gateway.deleteAsset(id, one.id)
      for (const mediaType of ["image/png", "text/plain"]) expect(yield* look(one, mediaType)).toEqual(run)
      expect((yield* Effect.flip(look(other, "image/png")))._tag).toBe("IdempotencyConflict")
    })
  )

  it.scoped("belongs to the message that an earlier version stored under it", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      yield* storage.createSession(newSession())
      const [message, metadata] = [Message.userText("héllo"), { user: "ann", tags: [1, null] }]
      const hash = createHash("sha256")
        .update(JSON.stringify([message, metadata]))
        .digest("hex")
      const admitted = yield* storage.admit(admission({ message, metadata, hash, idempotencyKey: "k" }))
      if (admitted._tag !== "Started") return expect.unreachable(admitted._tag)
      yield* storage.endRun(admitted.lease, { stopReason: "completed", detail: null })
      const { send } = yield* open("a")
      expect(yield* send(s1, "héllo", { idempotencyKey: "k", metadata })).toEqual(admitted.ref)
      expect((yield* Effect.flip(send(s1, "hello", { idempotencyKey: "k", metadata })))._tag).toBe(
        "IdempotencyConflict"
      )
    })
  )
})

describe("starting", () => {
  it.scoped("P9 a queued run that is just being started is not mistaken for a dead one", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const { model, open } = yield* ground
      const { gateway, seen, send, session } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          startNext: (sessionId, owner) =>
            Effect.tap(storage.startNext(sessionId, owner), () =>
              Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(goOn))
            )
        })
      })
      yield* model.play({ text: "…", hang: true }, ScriptedModel.text("second"), ScriptedModel.text("third"))
      const { id } = yield* session()
      const first = yield* send(id, "one")
      const second = yield* send(id, "two", { whenBusy: "queue" })
      yield* seen(first, "text.delta")
      yield* gateway.cancel(first.runId)
      yield* Deferred.await(started)
      const third = yield* Effect.fork(send(id, "three", { whenBusy: "queue" }))
      const cancelled = yield* Effect.fork(gateway.cancel(second.runId))
      yield* Quiescence.idle
      yield* Deferred.succeed(goOn, undefined)
      yield* cancelled
      expect((yield* gateway.run(second.runId)).stopReason).toBe("cancelled")
      expect((yield* gateway.await(yield* third)).stopReason).toBe("completed")
    })
  )
})

describe("ending", () => {
  it.scoped("a run that starts while the one before it is still being cleared away is driven like any other", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const { gateway, seen, send, session } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          endRun: (...end) => Effect.zipLeft(storage.endRun(...end), gate.pass("ended"))
        })
      })
      yield* model.play({ text: "first", hang: true }, { text: "second", hang: true }, ScriptedModel.text("third"))
      const { id } = yield* session()
      const first = yield* send(id, "one")
      const second = yield* send(id, "two", { whenBusy: "queue" })
      yield* seen(first, "text.delta")
      const cancelling = yield* Effect.fork(gateway.cancel(first.runId))
      yield* gate.reached("ended")
      const third = yield* send(id, "three", { whenBusy: "queue" })
      yield* seen(second, "text.delta")
      yield* gate.open("ended")
      yield* cancelling
      const { live, run } = yield* gateway.snapshot(id)
      expect(live?.runId).toBe(second.runId)
      expect(run?.run.id).toBe(second.runId)
      yield* gateway.cancel(second.runId)
      expect((yield* gateway.run(second.runId)).stopReason).toBe("cancelled")
      expect((yield* gateway.await(third)).stopReason).toBe("completed")
    })
  )
})

describe("Run", () => {
  it.scoped("answer returns the last text, or fails with the reason", () =>
    Effect.gen(function* () {
      const { begin, context, gateway, model, seen } = yield* open()
      yield* model.play(ScriptedModel.text(["Hello", " there"]), { text: "half", hang: true })
      expect(yield* Effect.provide(Run.answer(yield* begin("hi")), context)).toBe("Hello there")
      const second = yield* begin("hi")
      yield* seen(second, "text.delta")
      yield* gateway.cancel(second.runId)
      const stopped = yield* Effect.flip(Effect.provide(Run.answer(second), context))
      expect(stopped).toEqual(new SkeinError.RunStopped({ runId: second.runId, stopReason: "cancelled", detail: null }))
    })
  )
})
