import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { type Message, Model, Tool, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as View from "../../../../src/domain/View.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { ground } from "./engines.js"
import { open } from "./fixture.js"

const add = Tool.make("add", { description: "adds", input: { a: Schema.Number } }).handle(() => Effect.void)
const list = Tool.make("list", { description: "lists", access: "read", input: { path: Schema.String } }).handle(
  ({ path }) => Effect.succeed(path)
)

describe("a step's request", () => {
  it.scoped("shows the model its system prompt, its tools in order, and the session's options", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open({
        tools: [list, add],
        system: "You are terse."
      })
      yield* model.play(ScriptedModel.text("hi"))
      const options = { temperature: 0, maxOutputTokens: 100 }
      const { id } = yield* session({ model: { provider: "p", model: "m", options } })
      yield* gateway.await(yield* send(id, "hello"))
      expect(yield* model.requests).toMatchObject([
        {
          system: "You are terse.",
          options,
          tools: [
            { name: "list", description: "lists", inputSchema: { type: "object" } },
            { name: "add", description: "adds", inputSchema: { type: "object", required: ["a"] } }
          ],
          view: [{ role: "user", parts: [{ type: "text", text: "hello" }] }]
        }
      ])
    })
  )

  it.scoped("gives the content of the session's files", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("hi"))
      const { id } = yield* session()
      const bytes = new TextEncoder().encode("hello")
      const file = { sessionId: id, mediaType: "text/plain", content: Stream.make(bytes) }
      const { id: assetId } = yield* gateway.saveAsset(file)
      yield* gateway.await(yield* send(id, "look", { files: [{ assetId, mediaType: "text/plain" }] }))
      const { file: read } = (yield* model.requests)[0] ?? (yield* Effect.dieMessage("no request"))
      expect(yield* read(assetId)).toEqual(bytes)
      expect(yield* read(assetId, 4)).toEqual(bytes.subarray(0, 4))
      expect(yield* read(assetId, 6)).toEqual(bytes)
    })
  )

  it.scoped("P4 can be sent, even if the model gave several calls of one step the same id", () =>
    Effect.gen(function* () {
      const views: Array<View.View> = []
      const call = (index: number) =>
        ({ type: "call", index, name: "list", input: `{"path":"${index}"}`, providerCallId: "same" }) as const
      const finish = (reason: Message.FinishReason) => ({ type: "finish", reason, usage: Usage.unknown }) as const
      const careless: Model.Model = {
        provider: "test",
        model: "careless",
        contextTokens: null,
        step: ({ view }) => {
          views.push(view)
          return view.length > 1
            ? Stream.make({ type: "text", id: "t", delta: "hm" } as const, finish("stop"))
            : Stream.make(call(0), call(1), finish("tool-calls"))
        }
      }
      const { open } = yield* ground
      const { begin, gateway } = yield* open("a", { tools: [list], models: Model.always(careless) })
      expect((yield* gateway.await(yield* begin("go"))).stopReason).toBe("completed")
      expect(views.flatMap(complaints)).toEqual([])
      const results = views[1]?.flatMap((item) => (item.role === "tool" ? item.results : []))
      expect(results?.map(({ text }) => text)).toEqual(["0", "1"])
    })
  )

  it.scoped("fits the context of the model, with room for its answer", () =>
    Effect.gen(function* () {
      const views: Array<View.View> = []
      const small: Model.Model = {
        provider: "test",
        model: "small",
        contextTokens: 3_000,
        step: ({ view }) => {
          views.push(view)
          return Stream.make(
            { type: "text", id: "t", delta: "hm" } as const,
            {
              type: "finish",
              reason: "stop",
              usage: Usage.unknown
            } as const
          )
        }
      }
      const { open } = yield* ground
      const { gateway, send, session } = yield* open("a", { models: Model.always(small) })
      const { id } = yield* session({
        model: { provider: "test", model: "small", options: { maxOutputTokens: 1_000 } }
      })
      const user = { role: "user", parts: [{ type: "text", text: "x".repeat(1_000) }] } as const
      const answer = {
        role: "assistant",
        parts: [{ type: "text", text: "y" }],
        model: { provider: "test", model: "small" },
        finish: "stop",
        usage: Usage.unknown
      } as const
      yield* gateway.append(id, Array.from({ length: 10 }, () => [user, answer]).flat())
      yield* gateway.await(yield* send(id, "and now?"))
      const [view] = views
      expect(view === undefined ? 0 : View.characters(view)).toBeLessThanOrEqual(6_000)
      expect(JSON.stringify(view?.[0])).toContain("Earlier messages left out")
      expect(JSON.stringify(view?.at(-1))).toContain("and now?")
      expect(complaints(view ?? [])).toEqual([])
    })
  )
})
