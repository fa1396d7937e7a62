/** AG-UI with its own client, which refuses events out of order. */
import { HttpAgent } from "@ag-ui/client"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { Permissions, Session, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { served } from "../server.js"

const write = Tool.make("write", { description: "writes", input: { n: Schema.Int } }).handle(({ n }) =>
  Effect.zipRight(Tool.progress("half"), Effect.succeed(`wrote ${n}`))
)

const agentOf = (port: number, threadId: string) => {
  const agent = new HttpAgent({ url: `http://127.0.0.1:${port}/agui`, threadId })
  const types: Array<string> = []
  const run = (id: string, content: string, onAsked: (questionId: string) => void = () => {}) =>
    Effect.promise(() => {
      agent.setMessages([...agent.messages, { id, role: "user", content }])
      return agent.runAgent(
        {},
        {
          onEvent: ({ event }) => void (types.at(-1) === event.type ? null : types.push(event.type)),
          onCustomEvent: ({ event }) =>
            event.name === "permission.asked" ? onAsked(readAsked(event.value).questionId) : undefined
        }
      )
    })
  const lines = () =>
    agent.messages.map((message) => {
      const calls = message.role === "assistant" ? (message.toolCalls ?? []) : []
      const called = calls.map(({ function: { arguments: input, name } }) => `${name}${input}`).join(" ")
      return `${message.role}: ${typeof message.content === "string" ? message.content : ""}${called}`
    })
  return { agent, types, run, lines }
}

const readAsked = Schema.decodeUnknownSync(Schema.Struct({ questionId: Schema.String }))

describe("AG-UI", () => {
  it.scopedLive("gives its client texts, reasoning, calls, results and questions", () =>
    Effect.gen(function* () {
      const { model, port, request, transcript } = yield* served({
        tools: [write],
        policy: () => Effect.succeed(Permissions.ask)
      })
      const calls = [1, 2].map((n) => ScriptedModel.call(write, { n }))
      yield* model.play({ reasoning: "Hm.", text: "I write.", calls }, ScriptedModel.text("Done."))
      const { lines, run, types } = agentOf(port, "thread")
      const asked = yield* Deferred.make<string>()
      const questions: Array<string> = []
      const running = yield* Effect.fork(
        run("m1", "go", (id) => {
          questions.push(id)
          if (questions.length === 2) Deferred.unsafeDone(asked, Effect.succeed(id))
        })
      )
      yield* Deferred.await(asked)
      for (const id of questions) {
        yield* request("POST", `/v1/questions/${id}/answer`, { body: '{"verdict":"allow-once"}' })
      }
      yield* Fiber.join(running)
      expect(lines().toSorted()).toEqual(
        [
          "user: go",
          "reasoning: Hm.",
          "assistant: I write.",
          'assistant: write{"n":1} write{"n":2}',
          "tool: wrote 1",
          "tool: wrote 2",
          "assistant: Done."
        ].toSorted()
      )
      expect(types[0]).toBe("RUN_STARTED")
      expect(types.at(-1)).toBe("RUN_FINISHED")
      yield* model.play(ScriptedModel.text("Again."))
      yield* run("m2", "more")
      expect(lines().at(-1)).toBe("assistant: Again.")
      const stored = yield* transcript(Session.Id.make("thread"))
      const roles = stored.map(({ message }) => message.role)
      expect(roles.join(" ")).toBe("user assistant tool tool assistant user assistant")
    })
  )

  it.scopedLive("reports a failed run, and starts no other for the same message", () =>
    Effect.gen(function* () {
      const { gateway, model, request } = yield* served()
      yield* model.play(ScriptedModel.fail("rejected"))
      const input = (messages: ReadonlyArray<unknown>) => ({
        body: JSON.stringify({ threadId: "t", runId: "r", messages, tools: [], context: [], state: {} })
      })
      const hi = { id: "m", role: "user", content: [{ type: "text", text: "hi" }] }
      const answer = yield* request("POST", "/agui", input([hi]))
      expect(answer.text).toContain('"type":"RUN_ERROR","message":')
      expect((yield* request("POST", "/agui", input([hi]))).text).toBe(answer.text)
      expect(yield* gateway.runs({ sessionId: Session.Id.make("t") })).toHaveLength(1)
      const wrong = yield* request("POST", "/agui", input([{ ...hi, role: "assistant" }]))
      expect([wrong.status, wrong.json()]).toMatchObject([422, { field: "messages.last.role" }])
    })
  )
})
