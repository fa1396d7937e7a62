/** How prompts end when they are cancelled, and when their session is closed, opened again or lost. */
import { RequestError } from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"
import * as TestEditor from "./TestEditor.js"

const { methods } = TestEditor

type Editor = Effect.Effect.Success<ReturnType<typeof TestEditor.open>>

const failure = (promise: Promise<unknown>) =>
  Effect.promise(() =>
    promise.then(
      () => null,
      (error: unknown) => (error instanceof RequestError ? { code: error.code, message: error.message } : error)
    )
  )

const waiting = { text: "Wait", hang: true } as const

const isSaid = (text: string) => (update: Editor["updates"][number]) =>
  update.sessionUpdate === "agent_message_chunk" && update.content.type === "text" && update.content.text === text

/** A prompt whose run has begun and does not end by itself. */
const begun = (editor: Editor, sessionId: string) =>
  Effect.gen(function* () {
    yield* editor.model.play(waiting)
    const prompt = yield* Effect.fork(Effect.tryPromise(() => editor.sent(sessionId, "Go")))
    yield* editor.until(isSaid("Wait"))
    return prompt
  })

const cancel = ({ agent }: Editor, sessionId: string) =>
  Effect.promise(() => agent.notify(methods.agent.session.cancel, { sessionId }))

const open = ({ agent }: Editor, method: "session/load" | "session/resume", sessionId: string, cwd = "/") =>
  Effect.promise(() => agent.request(method, { sessionId, cwd, mcpServers: [] }))

/** Returns when the agent has read what was sent before. */
const read = ({ agent }: Editor) => Effect.promise(() => agent.request(methods.agent.session.list, {}))

/** An editor whose cancellations wait. */
const withSlowCancel = Effect.gen(function* () {
  const isCancelling = yield* Deferred.make<void>()
  const mayCancel = yield* Deferred.make<void>()
  const editor = yield* TestEditor.open({
    change: (gateway) => ({
      ...gateway,
      cancel: (runId) =>
        Deferred.succeed(isCancelling, undefined).pipe(
          Effect.zipRight(Deferred.await(mayCancel)),
          Effect.zipRight(gateway.cancel(runId))
        )
    })
  })
  return { editor, isCancelling, mayCancel }
})

describe("a prompt", () => {
  it.scopedLive("after a cancellation waits for the end of what was cancelled", () =>
    Effect.gen(function* () {
      const { editor, isCancelling, mayCancel } = yield* withSlowCancel
      const { sessionId } = yield* editor.session("/")
      const first = yield* begun(editor, sessionId)
      yield* cancel(editor, sessionId)
      yield* Deferred.await(isCancelling)
      yield* editor.model.play(ScriptedModel.text("Again."))
      const second = yield* Effect.fork(editor.prompt(sessionId, "Again"))
      yield* read(editor)
      yield* Deferred.succeed(mayCancel, undefined)
      expect(yield* Fiber.join(first)).toMatchObject({ stopReason: "cancelled" })
      expect(yield* Fiber.join(second)).toMatchObject({ stopReason: "end_turn" })
    })
  )

  it.scopedLive("that waits for the end of what was cancelled can be cancelled too, and is never sent", () =>
    Effect.gen(function* () {
      const { editor, isCancelling, mayCancel } = yield* withSlowCancel
      const { sessionId } = yield* editor.session("/")
      const first = yield* begun(editor, sessionId)
      yield* cancel(editor, sessionId)
      yield* Deferred.await(isCancelling)
      const second = yield* Effect.fork(editor.prompt(sessionId, "Again"))
      yield* read(editor)
      yield* cancel(editor, sessionId)
      expect(yield* Fiber.join(second)).toEqual({ stopReason: "cancelled" })
      yield* Deferred.succeed(mayCancel, undefined)
      expect(yield* Fiber.join(first)).toMatchObject({ stopReason: "cancelled" })
      expect(yield* editor.model.requests).toHaveLength(1)
    })
  )

  it.scopedLive("ends as cancelled when its session is closed, which stops its updates; more can be said in it", () =>
    Effect.gen(function* () {
      const isClosed = yield* Deferred.make<void>()
      const late = (event: { readonly type: string }) =>
        event.type === "run.ended" ? Deferred.await(isClosed) : Effect.void
      const editor = yield* TestEditor.open({
        change: (gateway) => ({
          ...gateway,
          subscribe: (range) => Effect.map(gateway.subscribe(range), Stream.tap(late))
        })
      })
      const { sessionId } = yield* editor.session("/")
      const prompt = yield* begun(editor, sessionId)
      yield* Effect.promise(() => editor.agent.request(methods.agent.session.close, { sessionId }))
      yield* Deferred.succeed(isClosed, undefined)
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
      const [run] = yield* editor.gateway.runs({ sessionId: SessionId.make(sessionId) })
      expect(run).toMatchObject({ stopReason: "cancelled" })
      editor.updates.length = 0
      yield* editor.gateway.patch({ sessionId: SessionId.make(sessionId), title: "Unseen" })
      yield* editor.model.play(ScriptedModel.text("Once more."))
      expect(yield* editor.prompt(sessionId, "Again")).toMatchObject({ stopReason: "end_turn" })
      expect(editor.updates.filter(({ sessionUpdate }) => sessionUpdate === "session_info_update")).toEqual([])
    })
  )

  for (const method of ["session/load", "session/resume"] as const)
    it.scopedLive(`goes on and is answered when its session is opened again (${method})`, () =>
      Effect.gen(function* () {
        const { workdir } = yield* TestWorkspace.make()
        const [first, second] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const mayWrite = yield* Deferred.make<void>()
        let questions = 0
        const editor = yield* TestEditor.open({
          policy: Permissions.askToWrite,
          handle: (app) =>
            app.onRequest(methods.client.session.requestPermission, ({ signal }) => {
              Deferred.unsafeDone(++questions === 1 ? first : second, Effect.void)
              const allowed = Effect.as(Deferred.await(mayWrite), {
                outcome: { outcome: "selected" as const, optionId: "allow-once" }
              })
              return Effect.runPromise(allowed, { signal })
            })
        })
        const { sessionId } = yield* editor.session(workdir)
        const write = { name: "write", input: JSON.stringify({ path: "a", content: "" }) }
        yield* editor.model.play(ScriptedModel.calls(write), ScriptedModel.text("Done."))
        const prompt = yield* Effect.fork(editor.prompt(sessionId, "Go"))
        yield* Deferred.await(first)
        editor.updates.length = 0
        yield* open(editor, method, sessionId, workdir)
        yield* Deferred.await(second)
        yield* Deferred.succeed(mayWrite, undefined)
        expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "end_turn" })
        const told = editor.updates.map(({ sessionUpdate }) => sessionUpdate)
        const kinds = ["user_message_chunk", "tool_call", "agent_message_chunk"] as const
        expect(kinds.map((kind) => told.filter((one) => one === kind).length)).toEqual(
          method === "session/load" ? [1, 1, 1] : [0, 0, 1]
        )
        expect(TestEditor.results(editor.updates).map(({ status }) => status)).toEqual(["completed"])
      })
    )

  it.scopedLive("is answered when its run ended while its session was being opened again", () =>
    Effect.gen(function* () {
      let duringSnapshot: Effect.Effect<unknown> = Effect.void
      const editor = yield* TestEditor.open({
        change: (gateway) => ({
          ...gateway,
          snapshot: (sessionId) =>
            Effect.zipRight(
              Effect.suspend(() => duringSnapshot),
              gateway.snapshot(sessionId)
            )
        })
      })
      const { sessionId } = yield* editor.session("/")
      const prompt = yield* begun(editor, sessionId)
      const [run] = yield* editor.gateway.runs({ sessionId: SessionId.make(sessionId) })
      duringSnapshot = run === undefined ? Effect.void : Effect.orDie(editor.gateway.cancel(run.id))
      yield* open(editor, "session/load", sessionId)
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
    })
  )

  it.scopedLive("stays as it was when its session cannot be opened again", () =>
    Effect.gen(function* () {
      let isBroken = false
      const editor = yield* TestEditor.open({
        change: (gateway) => ({
          ...gateway,
          snapshot: (sessionId) => (isBroken ? Effect.die("broken") : gateway.snapshot(sessionId))
        })
      })
      const { sessionId } = yield* editor.session("/")
      const prompt = yield* begun(editor, sessionId)
      isBroken = true
      const load = editor.agent.request(methods.agent.session.load, { sessionId, cwd: "/", mcpServers: [] })
      expect(yield* failure(load)).toEqual({ code: -32603, message: "Something went wrong here" })
      yield* editor.gateway.patch({ sessionId: SessionId.make(sessionId), title: "Still seen" })
      yield* editor.until((update) => update.sessionUpdate === "session_info_update" && update.title === "Still seen")
      yield* cancel(editor, sessionId)
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
    })
  )

  it.scopedLive("fails when the server of its session is gone; the next one finds another way", () =>
    Effect.gen(function* () {
      const gone = yield* Deferred.make<void>()
      let times = 0
      const editor = yield* TestEditor.open({
        gone: Effect.suspend(() => (times++ === 0 ? Deferred.await(gone) : Effect.never))
      })
      const { sessionId } = yield* editor.session("/")
      const prompt = yield* begun(editor, sessionId)
      yield* Deferred.succeed(gone, undefined)
      const error = yield* Effect.flip(Fiber.join(prompt))
      expect(error.error).toMatchObject({ code: -32603, message: expect.stringContaining("/resume") })
      const [run] = yield* editor.gateway.runs({ sessionId: SessionId.make(sessionId) })
      if (run !== undefined) yield* editor.gateway.cancel(run.id)
      yield* editor.model.play(ScriptedModel.text("Once more."))
      expect(yield* editor.prompt(sessionId, "Again")).toMatchObject({ stopReason: "end_turn" })
      expect(editor.updates.filter(isSaid("Once more."))).toHaveLength(1)
    })
  )

  it.scopedLive("ends as cancelled when its session is deleted, which is not found afterwards", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session("/")
      const prompt = yield* begun(editor, sessionId)
      yield* editor.gateway.delete(SessionId.make(sessionId))
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
      expect(yield* failure(editor.sent(sessionId, "Again"))).toMatchObject({ code: -32002 })
    })
  )
})
