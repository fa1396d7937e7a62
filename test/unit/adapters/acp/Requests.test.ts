/** Requests of an editor, in order and out of order. */
import { RequestError } from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"
import * as TestEditor from "./TestEditor.js"

const { methods } = TestEditor

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const codeOf = (promise: Promise<unknown>) =>
  Effect.promise(() =>
    promise.then(
      () => 0,
      (error: unknown) => (error instanceof RequestError ? error.code : String(error))
    )
  )

const write = (path: string) => ScriptedModel.calls({ name: "write", input: JSON.stringify({ path, content: "x" }) })

describe("an editor", () => {
  it.scopedLive("sends images and files to the model; audio and invalid images are refused", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session("/")
      const prompt = (...prompt: ReadonlyArray<object>) => editor.agent.request("session/prompt", { sessionId, prompt })
      yield* editor.model.play(ScriptedModel.text("Seen."))
      yield* Effect.promise(() =>
        prompt(
          { type: "text", text: "Look" },
          { type: "image", data: png, mimeType: "image/png" },
          { type: "resource", resource: { uri: "file:///a", blob: "AAEC", mimeType: "application/x-a" } },
          { type: "resource_link", name: "b", uri: "file:///b" }
        )
      )
      const [request] = yield* editor.model.requests
      const said = JSON.stringify(request?.view)
      expect(said).toContain("image/png")
      expect(said).toContain("application/x-a")
      expect(said).toContain("Look\\n[b](file:///b)")
      const broken = [
        { type: "audio", data: "AA==", mimeType: "audio/wav" },
        { type: "image", data: "!", mimeType: "image/png" }
      ]
      for (const block of broken) expect(yield* codeOf(prompt(block))).toBe(-32602)
      expect(yield* editor.gateway.runs({ sessionId: SessionId.make(sessionId) })).toHaveLength(1)
    })
  )

  it.scopedLive("is sent on loading what calls were about, and the images that were said", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make()
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(write("a"), ScriptedModel.text("Done."), ScriptedModel.text("Seen."))
      yield* editor.prompt(sessionId, "Go")
      const image = { type: "image", data: png, mimeType: "image/png" }
      const file = { type: "resource", resource: { uri: "file:///a", blob: "AAEC", mimeType: "application/x-a" } }
      yield* Effect.promise(() =>
        editor.agent.request("session/prompt", { sessionId, prompt: [{ type: "text", text: "Look" }, image, file] })
      )
      editor.updates.length = 0
      yield* Effect.promise(() =>
        editor.agent.request(methods.agent.session.load, { sessionId, cwd: workdir, mcpServers: [] })
      )
      const calls = editor.updates.filter(({ sessionUpdate }) => sessionUpdate === "tool_call")
      expect(calls).toMatchObject([
        { title: "Write a", name: "write", kind: "edit", locations: [{ path: at("a") }], rawInput: { path: "a" } }
      ])
      const said = editor.updates.flatMap((update) =>
        update.sessionUpdate === "user_message_chunk" ? [update.content] : []
      )
      expect(said).toEqual([{ type: "text", text: "Go" }, { type: "text", text: "Look" }, image])
    })
  )

  it.scopedLive("is sent each plan of a session as it changes, and all of them again on loading the session", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session("/")
      const plan = (...states: ReadonlyArray<string>) => {
        const steps = [
          { content: "Read", priority: "high", status: states[0] },
          { content: "Write", status: states[1] }
        ]
        return ScriptedModel.calls({ name: "plan", input: JSON.stringify({ steps }) })
      }
      const broken = ScriptedModel.calls({ name: "plan", input: '{"steps":[{"content":"Read","status":"soon"}]}' })
      yield* editor.model.play(
        plan("in_progress", "pending"),
        broken,
        plan("completed", "in_progress"),
        ScriptedModel.text("On my way.")
      )
      yield* editor.prompt(sessionId, "Go")
      const entries = (...states: ReadonlyArray<string>) => [
        { content: "Read", priority: "high", status: states[0] },
        { content: "Write", priority: "medium", status: states[1] }
      ]
      const plans = () => editor.updates.flatMap((update) => (update.sessionUpdate === "plan" ? [update.entries] : []))
      const both = [entries("in_progress", "pending"), entries("completed", "in_progress")]
      expect(plans()).toEqual(both)
      const given = yield* editor.answers(sessionId)
      expect(given[0]).toBe("[>] Read\n[ ] Write")
      expect(given[1]).toContain("status")
      editor.updates.length = 0
      yield* Effect.promise(() =>
        editor.agent.request(methods.agent.session.load, { sessionId, cwd: "/", mcpServers: [] })
      )
      expect(plans()).toEqual(both)
    })
  )

  it.scopedLive("cancels a prompt that asks: the question is withdrawn before the prompt ends as cancelled", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const asked = yield* Deferred.make<void>()
      const order: Array<string> = []
      const editor = yield* TestEditor.open({
        policy: Permissions.askToWrite,
        handle: (app) =>
          app.onRequest(methods.client.session.requestPermission, ({ signal }) => {
            Deferred.unsafeDone(asked, Effect.void)
            return new Promise((resolve) =>
              signal.addEventListener("abort", () => {
                order.push("taken back")
                resolve({ outcome: { outcome: "cancelled" } })
              })
            )
          })
      })
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(write("a"))
      const prompt = yield* Effect.fork(
        Effect.map(editor.prompt(sessionId, "Go"), ({ stopReason }) => void order.push(stopReason))
      )
      yield* Deferred.await(asked)
      yield* Effect.promise(() => editor.agent.notify(methods.agent.session.cancel, { sessionId }))
      yield* Fiber.join(prompt)
      expect(order).toEqual(["taken back", "cancelled"])
      expect(TestEditor.results(editor.updates).map(({ status }) => status)).toEqual(["failed"])
    })
  )

  for (const how of ["cancel", "close"] as const)
    it.scopedLive(`ends a prompt that a server is still asked about as cancelled, and nothing is sent (${how})`, () =>
      Effect.gen(function* () {
        const asked = yield* Deferred.make<void>()
        const left = yield* Deferred.make<void>()
        const beforeExpand = Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Deferred.succeed(left, undefined))
        )
        const editor = yield* TestEditor.open({ beforeExpand })
        const { sessionId } = yield* editor.session("/")
        const prompt = yield* Effect.fork(editor.prompt(sessionId, "/notes__find Emma"))
        yield* Deferred.await(asked)
        if (how === "cancel")
          yield* Effect.promise(() => editor.agent.notify(methods.agent.session.cancel, { sessionId }))
        else yield* Effect.promise(() => editor.agent.request(methods.agent.session.close, { sessionId }))
        yield* Deferred.await(left)
        expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
        expect(yield* editor.gateway.runs({ sessionId: SessionId.make(sessionId) })).toEqual([])
      })
    )

  it.scopedLive("gets an error for each invalid request, and is still served afterwards", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const request = (method: string, params: object) => codeOf(editor.agent.request(method, params))
      const nobody = { sessionId: "nobody" }
      expect(yield* request("session/prompt", { ...nobody, prompt: [] })).toBe(-32002)
      expect(yield* request("session/load", { ...nobody, cwd: "/", mcpServers: [] })).toBe(-32002)
      expect(yield* request("session/load", { ...nobody, cwd: "relative", mcpServers: [] })).toBe(-32602)
      expect(yield* request("session/resume", { ...nobody, cwd: "/" })).toBe(-32002)
      const { at } = yield* TestWorkspace.make({ "a.txt": "" })
      for (const cwd of [at("none"), at("a.txt")])
        expect(yield* request("session/new", { cwd, mcpServers: [] })).toBe(-32602)
      expect((yield* editor.gateway.sessions()).sessions).toEqual([])
      expect(yield* request("session/delete", nobody)).toBe(0)
      expect(yield* request("session/close", nobody)).toBe(0)
      expect(yield* request("session/set_mode", { ...nobody, modeId: "agent" })).toBe(-32002)
      expect(yield* request("session/prompt", { sessionId: "a/b c", prompt: [] })).toBe(-32002)
      expect(yield* request("session/prompt", { sessionId: 7 })).toBe(-32602)
      expect(yield* request("no/such", {})).toBe(-32601)
      yield* Effect.promise(() => editor.agent.notify(methods.agent.session.cancel, nobody))
      const { sessionId } = yield* editor.session("/")
      expect(yield* request("session/prompt", { sessionId, prompt: [] })).toBe(-32602)
      yield* editor.model.play(ScriptedModel.text("Here."))
      expect(yield* editor.prompt(sessionId, "Go")).toMatchObject({ stopReason: "end_turn" })
    })
  )
})
