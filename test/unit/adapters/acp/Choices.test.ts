/** What the person at an editor can choose for a session, ask of it, and see about how full it is. */
import { RequestError } from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"
import * as TestEditor from "./TestEditor.js"

const { methods } = TestEditor

const failure = (promise: Promise<unknown>) =>
  Effect.promise(() =>
    promise.then(
      () => null,
      (error: unknown) => (error instanceof RequestError ? { code: error.code, message: error.message } : error)
    )
  )

describe("an editor", () => {
  it.scopedLive("chooses agent, model and effort, sees changes made elsewhere, and is refused unknown choices", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { configOptions, modes, sessionId } = yield* editor.session("/")
      const values = (options: typeof configOptions) =>
        Object.fromEntries((options ?? []).map(({ currentValue, id }) => [id, currentValue]))
      expect(modes?.currentModeId).toBe("agent")
      expect(values(configOptions)).toEqual({
        agent: "agent",
        model: "script/queue",
        effort: "default",
        permission: "ask"
      })
      const choose = (configId: string, value: string) =>
        editor.agent.request(methods.agent.session.setConfigOption, { sessionId, configId, value })
      yield* editor.gateway.patch({
        sessionId: SessionId.make(sessionId),
        model: { provider: "p", model: "m", options: { temperature: 1 } }
      })
      yield* editor.until((update) => update.sessionUpdate === "config_option_update")
      const chosen = yield* Effect.promise(() => choose("effort", "high"))
      expect(values(chosen.configOptions)).toEqual({ agent: "agent", model: "p/m", effort: "high", permission: "ask" })
      const options = Effect.map(editor.gateway.session(SessionId.make(sessionId)), ({ model }) => model?.options)
      expect(yield* options).toEqual({ temperature: 1, reasoningEffort: "high" })
      yield* Effect.promise(() => choose("effort", "default"))
      expect(yield* options).toEqual({ temperature: 1 })
      yield* Effect.promise(() => choose("model", "p/m"))
      expect(yield* options).toEqual({ temperature: 1 })
      for (const [configId, value] of [
        ["model", "p/other"],
        ["agent", "nobody"],
        ["effort", "huge"],
        ["permission", "always"],
        ["colour", "red"]
      ] as const) {
        expect(yield* failure(choose(configId, value))).toMatchObject({ code: -32602 })
      }
      const mode = editor.agent.request(methods.agent.session.setMode, { sessionId, modeId: "nobody" })
      expect(yield* failure(mode)).toMatchObject({ code: -32602 })
      yield* Effect.promise(() => editor.agent.request(methods.agent.session.setMode, { sessionId, modeId: "agent" }))
    })
  )

  it.scopedLive("may allow every call of its own prompts, but of no others", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const asked: Array<string> = []
      const editor = yield* TestEditor.open({
        policy: Permissions.askToWrite,
        handle: (app) =>
          app.onRequest(methods.client.session.requestPermission, ({ params }) => {
            asked.push(params.toolCall.toolCallId)
            return { outcome: { outcome: "selected", optionId: "deny" } }
          })
      })
      const { sessionId } = yield* editor.session(workdir)
      const write = ScriptedModel.calls({ name: "write", input: JSON.stringify({ path: "a", content: "" }) })
      yield* editor.model.play(write, ScriptedModel.text("1"), write, ScriptedModel.text("2"))
      yield* Effect.promise(() =>
        editor.agent.request(methods.agent.session.setConfigOption, {
          sessionId,
          configId: "permission",
          value: "allow"
        })
      )
      yield* editor.prompt(sessionId, "Go")
      expect(asked).toEqual([])
      expect(TestEditor.results(editor.updates).map(({ status }) => status)).toEqual(["completed"])
      yield* editor.gateway.send({ sessionId: SessionId.make(sessionId), text: "From elsewhere" })
      yield* editor.answers(sessionId)
      expect(asked).toHaveLength(1)
    })
  )

  it.scopedLive("sees the commands of a new session, and the context's fill after a step and on resuming", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session("/")
      yield* editor.until((update) => update.sessionUpdate === "available_commands_update")
      yield* editor.model.play({
        text: "Yes.",
        usage: { inputTokens: 400, outputTokens: 20, reasoningTokens: 0, cachedInputTokens: 0 }
      })
      yield* editor.prompt(sessionId, "Go")
      const fill = { sessionUpdate: "usage_update", used: 420, size: 1000 }
      expect(editor.updates).toContainEqual(fill)
      editor.updates.length = 0
      yield* Effect.promise(() =>
        editor.agent.request(methods.agent.session.resume, { sessionId, cwd: "/", mcpServers: [] })
      )
      yield* editor.until((update) => update.sessionUpdate === "usage_update")
      expect(editor.updates).toContainEqual(fill)
    })
  )

  it.scopedLive("runs commands by prompts with a slash; other slashes go to the model", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const { sessionId } = yield* editor.session("/")
      expect(yield* editor.prompt(sessionId, "/rename A better title")).toEqual({ stopReason: "end_turn" })
      yield* editor.until(
        (update) => update.sessionUpdate === "session_info_update" && update.title === "A better title"
      )
      yield* editor.model.play(ScriptedModel.text("Hm."), ScriptedModel.fail("rejected"), ScriptedModel.text("Now."))
      yield* editor.prompt(sessionId, "/usr is full")
      expect(yield* failure(editor.sent(sessionId, "/resume"))).toMatchObject({ code: -32602 })
      expect(yield* failure(editor.sent(sessionId, "Go on"))).toMatchObject({ code: -32603 })
      expect(yield* editor.prompt(sessionId, "/resume")).toMatchObject({ stopReason: "end_turn" })
      const [, said] = yield* editor.model.requests
      expect(JSON.stringify(said?.view)).toContain("/usr is full")
      expect(JSON.stringify(said?.view)).not.toContain("rename")
    })
  )

  it.scopedLive("brings MCP servers of its own, under names fit for tools; unusable ones are left out", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const open = (mcpServers: ReadonlyArray<object>) => editor.agent.request("session/new", { cwd: "/", mcpServers })
      const program = { name: "My files", command: "/bin/files", args: ["-v"], env: [{ name: "A", value: "b" }] }
      const remote = {
        type: "http",
        name: "My files",
        url: "https://x.example/mcp",
        headers: [{ name: "H", value: "v" }]
      }
      const unusable = [
        { ...remote, name: "old", type: "sse" },
        { ...remote, name: "file", url: "file:///etc/passwd" }
      ]
      yield* Effect.promise(() => open([program, ...unusable, remote]))
      expect(editor.serversLeftOut).toEqual(["old", "file"])
      expect(editor.brought).toMatchObject([
        {
          My_files: { command: "/bin/files", args: ["-v"], env: { A: "b" }, cwd: "/" },
          "My_files-2": { url: "https://x.example/mcp", headers: { H: "v" } }
        }
      ])
      const { sessions } = yield* editor.gateway.sessions()
      expect(sessions).toHaveLength(1)
      const sessionId = sessions[0]?.id ?? ""
      const find = { name: "books__find", description: "Finds a book", input: { hint: "[title]" } }
      yield* editor.until(
        (update) => update.sessionUpdate === "available_commands_update" && update.availableCommands.length === 4
      )
      expect(editor.updates.at(-1)).toMatchObject({
        // The commands of the user's own servers come after those of the editor's servers.
        availableCommands: [{ name: "rename" }, { name: "resume" }, find, { ...find, name: "notes__find" }]
      })
      yield* editor.model.play(ScriptedModel.text("Found."), ScriptedModel.text("Looked."), ScriptedModel.text("Hm."))
      yield* editor.prompt(sessionId, "/books__find Dune")
      yield* editor.prompt(sessionId, "/notes__find Dune")
      yield* editor.prompt(sessionId, "/other__find Dune")
      const said = JSON.stringify((yield* editor.model.requests).map(({ view }) => view.at(-1)))
      expect(said).toContain("Find Dune.")
      expect(said).toContain("Look for Dune.")
      expect(said).toContain("/other__find Dune")
    })
  )

  it.scopedLive("is told in the conversation, once, which servers cannot be used: while a prompt is answered", () =>
    Effect.gen(function* () {
      const editor = yield* TestEditor.open()
      const old = { type: "sse", name: "old", url: "https://x.example/sse", headers: [] }
      const program = { name: "files", command: "/bin/files", args: [], env: [] }
      const sessionOf = Schema.decodeUnknownSync(Schema.Struct({ sessionId: Schema.String }))
      const { sessionId } = sessionOf(
        yield* Effect.promise(() => editor.agent.request("session/new", { cwd: "/", mcpServers: [old, program] }))
      )
      const said = () =>
        editor.updates.flatMap((update) =>
          update.sessionUpdate === "agent_message_chunk" && update.content.type === "text" ? [update.content.text] : []
        )
      yield* editor.say("files", "files does not start")
      yield* editor.say("files", "files does not start, again")
      expect(said()).toEqual([])
      yield* editor.model.play(ScriptedModel.text("One."), ScriptedModel.text("Two."), { text: "Three.", hang: true })
      yield* editor.prompt(sessionId, "go")
      expect(said()).toEqual(["old cannot be used\n\n", "files does not start\n\n", "One."])
      yield* editor.say("other", "other is silent")
      yield* editor.prompt(sessionId, "go on")
      expect(said().slice(3)).toEqual(["other is silent\n\n", "Two."])
      const last = editor.sent(sessionId, "and on")
      yield* editor.until(
        (update) =>
          update.sessionUpdate === "agent_message_chunk" &&
          update.content.type === "text" &&
          update.content.text === "Three."
      )
      yield* editor.say("late", "late has ended")
      yield* editor.say("files", "files does not start")
      expect(said().slice(5)).toEqual(["Three.", "late has ended\n\n"])
      yield* Effect.promise(() => editor.agent.notify(TestEditor.methods.agent.session.cancel, { sessionId }))
      yield* Effect.promise(() => last)
    })
  )
})
