import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { Gateway, Permissions, type Run, Session, SkeinError, Tool, Toolbox } from "skein"
import { ScriptedModel } from "skein/testing"
import { of, open } from "../runtime/fixture.js"

const ann = Session.Owner.make("ann")
const bob = Session.Owner.make("bob")

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("ran"))

/** Ann's session, in whose run a human is asked, and the gateway as each of two owners has it. */
const opened = Effect.gen(function* () {
  const engine = yield* open({ toolbox: Toolbox.layer(ask), policy: Permissions.layerDefault })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
  const anns = of(yield* Effect.provide(Gateway.forOwner(ann), engine.context))
  const bobs = of(yield* Effect.provide(Gateway.forOwner(bob), engine.context))
  const run = yield* anns.begin("go")
  const { questionId } = yield* anns.seen(run, "permission.asked")
  const asset = yield* anns.gateway.saveAsset({
    sessionId: run.sessionId,
    mediaType: "text/plain",
    content: Stream.make(new Uint8Array(3))
  })
  return { all: engine.gateway, ann: anns.gateway, bob: bobs.gateway, run, questionId, assetId: asset.id }
})
type Opened = Effect.Effect.Success<typeof opened>

type Call = (gateway: Gateway.Service, opened: Opened) => Effect.Effect<unknown, unknown>

const ofSession =
  (call: (gateway: Gateway.Service, id: Session.Id) => Effect.Effect<unknown, unknown>): Call =>
  (gateway, { run }) =>
    call(gateway, run.sessionId)
const ofRun =
  (call: (gateway: Gateway.Service, run: Run.Ref) => Effect.Effect<unknown, unknown>): Call =>
  (gateway, { run }) =>
    call(gateway, run)

const sessionCalls: Readonly<Record<string, Call>> = {
  get: ofSession((gateway, id) => gateway.get(id)),
  transcript: ofSession((gateway, sessionId) => Stream.runDrain(gateway.transcript({ sessionId }))),
  send: ofSession((gateway, sessionId) => gateway.send({ sessionId, text: "hi", whenBusy: "queue" })),
  resume: ofSession((gateway, id) => gateway.resume(id)),
  append: ofSession((gateway, id) => gateway.append(id, [])),
  rename: ofSession((gateway, id) => gateway.rename(id, "Bob was here")),
  setModel: ofSession((gateway, id) => gateway.setModel(id, { provider: "p", model: "m" })),
  patchMetadata: ofSession((gateway, id) => gateway.patchMetadata(id, { bob: true })),
  events: ofSession((gateway, sessionId) => Stream.runHead(gateway.events({ sessionId, after: 0 }))),
  snapshot: ofSession((gateway, id) => gateway.snapshot(id)),
  questions: ofSession((gateway, id) => gateway.questions(id)),
  saveAsset: ofSession((gateway, sessionId) =>
    gateway.saveAsset({ sessionId, mediaType: "a/b", content: Stream.empty })
  ),
  assets: ofSession((gateway, id) => gateway.assets(id)),
  deleteAsset: (gateway, { assetId, run }) => gateway.deleteAsset(run.sessionId, assetId),
  delete: ofSession((gateway, id) => gateway.delete(id))
}

const runCalls: Readonly<Record<string, Call>> = {
  run: ofRun((gateway, { runId }) => gateway.run(runId)),
  await: ofRun((gateway, run) => gateway.await(run)),
  cancel: ofRun((gateway, { runId }) => gateway.cancel(runId))
}

const questionCalls: Readonly<Record<string, Call>> = {
  question: (gateway, { questionId }) => gateway.question(questionId),
  answer: (gateway, { questionId }) => gateway.answer({ questionId, verdict: "allow-once" })
}

const everything = ({ all, run }: Opened) =>
  Effect.all([all.list(), all.snapshot(run.sessionId), all.assets(run.sessionId), all.questions()])

describe("forOwner", () => {
  const calls = Object.entries({ ...sessionCalls, ...runCalls, ...questionCalls })
  it.scoped("has a test for each of its methods", () =>
    Effect.map(opened, ({ ann }) => {
      const others = ["create", "list", "setModels", "openAsset"]
      expect(Object.keys(ann).sort()).toEqual([...calls.map(([name]) => name), ...others].sort())
    })
  )

  for (const [name, call] of calls) {
    it.scoped(`${name}: what is another owner's is not found, and nothing changes`, () =>
      Effect.gen(function* () {
        const found = yield* opened
        const { questionId, run } = found
        const before = yield* everything(found)
        const missing =
          name in runCalls
            ? new SkeinError.RunNotFound({ runId: run.runId })
            : name in questionCalls
              ? new SkeinError.QuestionNotFound({ questionId })
              : new SkeinError.SessionNotFound({ sessionId: run.sessionId })
        expect(yield* Effect.flip(call(found.bob, found))).toEqual(missing)
        expect(yield* everything(found)).toEqual(before)
      })
    )
  }

  it.scoped("openAsset: another owner's asset is not found, and looks like one that is not there", () =>
    Effect.gen(function* () {
      const { ann, assetId, bob, run } = yield* opened
      const { sessionId } = run
      const missing = new SkeinError.AssetNotFound({ sessionId, assetId })
      expect(yield* Effect.flip(Stream.runDrain(bob.openAsset({ sessionId, assetId })))).toEqual(missing)
      yield* Stream.runDrain(ann.openAsset({ sessionId, assetId }))
    })
  )

  it.scoped("setModels: says of another owner's session that it is not found, and changes the owner's", () =>
    Effect.gen(function* () {
      const { all, bob, run } = yield* opened
      const own = yield* bob.create({ workdir: "/" })
      const changes = yield* bob.setModels([run.sessionId, own.id], { provider: "p", model: "m" })
      expect(changes).toMatchObject([
        { _tag: "Failed", sessionId: run.sessionId, error: { _tag: "SessionNotFound" } },
        { _tag: "Changed", session: { id: own.id } }
      ])
      expect((yield* all.get(run.sessionId)).model).toBeNull()
    })
  )

  it.scoped("create and list: sessions are the owner's, whatever the input says", () =>
    Effect.gen(function* () {
      const { ann: anns, bob: bobs, run } = yield* opened
      const made = yield* bobs.create({ workdir: "/", owner: ann })
      expect(made.owner).toEqual(Option.some(bob))
      expect((yield* bobs.list({ owner: ann })).sessions.map(({ id }) => id)).toEqual([made.id])
      expect((yield* anns.list()).sessions.map(({ id }) => id)).toEqual([run.sessionId])
    })
  )

  it.scoped("questions: of all sessions are those of the owner's", () =>
    Effect.gen(function* () {
      const { all, ann, bob, questionId } = yield* opened
      expect((yield* all.questions()).map(({ id }) => id)).toEqual([questionId])
      expect((yield* ann.questions()).map(({ id }) => id)).toEqual([questionId])
      expect(yield* bob.questions()).toEqual([])
    })
  )

  it.scoped("leaves the owner's own to the owner", () =>
    Effect.gen(function* () {
      const found = yield* opened
      const { ann, questionId, run } = found
      for (const name of ["get", "transcript", "events", "snapshot", "questions", "assets", "rename", "setModel"]) {
        yield* sessionCalls[name]?.(ann, found) ?? Effect.dieMessage(`no ${name}`)
      }
      yield* ann.patchMetadata(run.sessionId, { mine: true })
      yield* ann.answer({ questionId, verdict: "allow-once" })
      expect((yield* ann.await(run)).stopReason).toBe("completed")
      yield* ann.cancel(run.runId)
      yield* ann.delete(run.sessionId)
      expect((yield* ann.list()).total).toBe(0)
    })
  )

  it.scoped("a session without an owner is nobody's", () =>
    Effect.gen(function* () {
      const { all, ann } = yield* opened
      const { id } = yield* all.create({ workdir: "/" })
      expect(yield* Effect.flip(ann.get(id))).toEqual(new SkeinError.SessionNotFound({ sessionId: id }))
    })
  )
})
