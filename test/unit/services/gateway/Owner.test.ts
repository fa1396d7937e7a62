import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Asset, Gateway, Run, Session, SkeinError } from "skein"
import { ann, bob, everything, type Opened, opened } from "./owners.js"

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
  session: ofSession((gateway, id) => gateway.session(id)),
  transcript: ofSession((gateway, sessionId) => Stream.runDrain(gateway.transcript({ sessionId }))),
  timeline: ofSession((gateway, sessionId) => Stream.runDrain(gateway.timeline({ sessionId }))),
  entry: ofSession((gateway, sessionId) => gateway.entry({ sessionId, seq: Session.Seq.make(1) })),
  runs: ofSession((gateway, sessionId) => gateway.runs({ sessionId })),
  send: ofSession((gateway, sessionId) => gateway.send({ sessionId, text: "hi", whenBusy: "queue" })),
  resume: ofSession((gateway, id) => gateway.resume(id)),
  append: ofSession((gateway, id) => gateway.append(id, [])),
  patch: ofSession((gateway, id) => gateway.patch({ sessionId: id, title: "Bob was here", metadata: { bob: true } })),
  events: ofSession((gateway, sessionId) => Stream.runHead(gateway.events({ sessionId }))),
  subscribe: ofSession((gateway, sessionId) => Effect.scoped(gateway.subscribe({ sessionId }))),
  snapshot: ofSession((gateway, id) => gateway.snapshot(id)),
  questions: ofSession((gateway, id) => gateway.questions({ sessionId: id })),
  saveAsset: ofSession((gateway, sessionId) =>
    gateway.saveAsset({ sessionId, mediaType: "a/b", content: Stream.empty })
  ),
  assets: ofSession((gateway, id) => gateway.assets(id)),
  exportSessions: ofSession((gateway, id) => Stream.runDrain(gateway.exportSessions({ sessionIds: [id] }))),
  deleteAsset: (gateway, { assetId, run }) => gateway.deleteAsset(run.sessionId, assetId),
  openAsset: (gateway, { assetId, run }) => Stream.runDrain(gateway.openAsset({ sessionId: run.sessionId, assetId })),
  delete: ofSession((gateway, id) => gateway.delete(id))
}

const runCalls: Readonly<Record<string, Call>> = {
  run: ofRun((gateway, { runId }) => gateway.run(runId)),
  runRef: ofRun((gateway, { runId }) => gateway.runRef(runId)),
  await: ofRun((gateway, run) => gateway.await(run)),
  cancel: ofRun((gateway, { runId }) => gateway.cancel(runId))
}

const questionCalls: Readonly<Record<string, Call>> = {
  question: (gateway, { questionId }) => gateway.question(questionId),
  answer: (gateway, { questionId }) => gateway.answer({ questionId, verdict: "allow-once" })
}

describe("forOwner", () => {
  const calls = Object.entries({ ...sessionCalls, ...runCalls, ...questionCalls })
  it.scoped("has a test for each of its methods", () =>
    Effect.map(opened, ({ ann }) => {
      const others = ["agents", "limits", "create", "sessions", "changes", "patchMany", "recover", "importSessions"]
      expect(Object.keys(ann).sort()).toEqual([...calls.map(([name]) => name), ...others].sort())
    })
  )

  for (const [name, call] of calls) {
    it.scoped(`${name}: what belongs to another owner is not found, and nothing changes`, () =>
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

  it.scoped("openAsset: an asset that the owner's session does not have is not found", () =>
    Effect.gen(function* () {
      const { ann, run } = yield* opened
      const { sessionId } = run
      const assetId = Asset.AssetId.make("missing")
      expect(yield* Effect.flip(Stream.runDrain(ann.openAsset({ sessionId, assetId })))).toEqual(
        new SkeinError.AssetNotFound({ sessionId, assetId })
      )
    })
  )

  it.scoped("patchMany: does not find another owner's session, and changes the owner's own", () =>
    Effect.gen(function* () {
      const { all, bob, run } = yield* opened
      const own = yield* bob.create({ workdir: "/" })
      const changes = yield* bob.patchMany({
        sessionIds: [run.sessionId, own.id],
        model: { provider: "p", model: "m" }
      })
      expect(changes).toMatchObject([
        { _tag: "Failed", sessionId: run.sessionId, error: { _tag: "SessionNotFound" } },
        { _tag: "Changed", session: { id: own.id } }
      ])
      expect((yield* all.session(run.sessionId)).model).toBeNull()
    })
  )

  it.scoped("create and sessions: sessions are the owner's, whatever the input says", () =>
    Effect.gen(function* () {
      const { ann: anns, bob: bobs, run } = yield* opened
      const made = yield* bobs.create({ workdir: "/", owner: ann })
      expect(made.owner).toBe(bob)
      expect((yield* bobs.sessions({ owner: ann })).sessions.map(({ id }) => id)).toEqual([made.id])
      expect((yield* anns.sessions()).sessions.map(({ id }) => id)).toEqual([run.sessionId])
    })
  )

  it.scoped("questions: without a session, returns only those of the owner's sessions", () =>
    Effect.gen(function* () {
      const { all, ann: anns, bob: bobs, questionId } = yield* opened
      expect((yield* all.questions()).map(({ id }) => id)).toEqual([questionId])
      expect((yield* anns.questions()).map(({ id }) => id)).toEqual([questionId])
      expect(yield* bobs.questions()).toEqual([])
      expect(yield* bobs.questions({ owner: ann })).toEqual([])
      // A Gateway around another one passes on what it is asked, and with it the owner.
      const around = Gateway.Gateway.of({ ...all, questions: (which) => all.questions(which) })
      const narrowed = yield* Effect.provideService(Gateway.forOwner(bob), Gateway.Gateway, around)
      expect(yield* narrowed.questions()).toEqual([])
    })
  )

  it.scoped("lets the owner use the owner's own session", () =>
    Effect.gen(function* () {
      const found = yield* opened
      const { ann, questionId, run } = found
      for (const name of ["session", "transcript", "events", "snapshot", "questions", "assets", "openAsset", "patch"]) {
        yield* sessionCalls[name]?.(ann, found) ?? Effect.dieMessage(`no ${name}`)
      }
      yield* ann.patch({ sessionId: run.sessionId, metadata: { mine: true } })
      yield* ann.answer({ questionId, verdict: "allow-once" })
      expect((yield* ann.await(run)).stopReason).toBe("completed")
      yield* ann.cancel(run.runId)
      yield* ann.delete(run.sessionId)
      expect((yield* ann.sessions({ total: true })).total).toBe(0)
    })
  )

  it.scoped("create: another owner's session cannot be the parent", () =>
    Effect.gen(function* () {
      const { bob: bobs, run } = yield* opened
      const refusal = { _tag: "InvalidInput", field: "parent" }
      expect(yield* Effect.flip(bobs.create({ parent: run.sessionId }))).toMatchObject(refusal)
      const malformed = Session.Id.make("../x", { disableValidation: true })
      expect(yield* Effect.flip(bobs.create({ parent: malformed }))).toMatchObject(refusal)
      expect((yield* bobs.sessions()).sessions).toEqual([])
    })
  )

  it.scoped("a session without an owner is not found by an owner", () =>
    Effect.gen(function* () {
      const { all, ann } = yield* opened
      const { id } = yield* all.create({ workdir: "/" })
      expect(yield* Effect.flip(ann.session(id))).toEqual(new SkeinError.SessionNotFound({ sessionId: id }))
    })
  )
})

describe("restrict", () => {
  it.scoped("to reading: refuses every change, naming the operation, before it looks anything up", () =>
    Effect.gen(function* () {
      const found = yield* opened
      const reading = yield* Effect.provideService(Gateway.restrict({ scope: "read" }), Gateway.Gateway, found.all)
      const before = yield* everything(found)
      const missing = Session.Id.make("nobody")
      const changes: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
        create: reading.create({}),
        patchMany: reading.patchMany({ sessionIds: [missing], model: null }),
        recover: reading.recover(),
        importSessions: reading.importSessions({ content: Stream.empty }),
        ...Object.fromEntries(
          Object.entries({ ...sessionCalls, ...runCalls, ...questionCalls }).map(([name, call]) => [
            name,
            call(reading, found)
          ])
        )
      }
      for (const { access, name } of Object.values(Gateway.operations)) {
        if (access === "read") continue
        const change = changes[name] ?? Effect.dieMessage(`no test of ${name}`)
        expect(yield* Effect.flip(change)).toEqual(new SkeinError.Forbidden({ operation: name }))
      }
      expect(yield* everything(found)).toEqual(before)
    })
  )

  it.scoped("to reading: reads work, and it combines with a restriction to an owner", () =>
    Effect.gen(function* () {
      const { all, run } = yield* opened
      const restrictedTo = (restriction: Gateway.Restriction) =>
        Effect.provideService(Gateway.restrict(restriction), Gateway.Gateway, all)
      const reading = yield* restrictedTo({ scope: "read" })
      expect((yield* reading.session(run.sessionId)).owner).toBe(ann)
      const both = yield* restrictedTo({ owner: bob, scope: "read" })
      expect(yield* Effect.flip(both.session(run.sessionId))).toMatchObject({ _tag: "SessionNotFound" })
      expect(yield* Effect.flip(both.create({}))).toMatchObject({ _tag: "Forbidden" })
    })
  )

  it.scoped("Run sees what the restricted gateway sees, and no other owner's answer", () =>
    Effect.gen(function* () {
      const { all, ann: anns, questionId, run } = yield* opened
      yield* anns.answer({ questionId, verdict: "allow-once" })
      const as = (owner: Session.Owner) =>
        Run.answer(run).pipe(Gateway.restricted({ owner }), Effect.provideService(Gateway.Gateway, all))
      expect(yield* as(ann)).toBe("done")
      expect(yield* Effect.flip(as(bob))).toEqual(new SkeinError.RunNotFound({ runId: run.runId }))
    })
  )
})
