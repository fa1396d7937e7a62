/** An engine in memory whose model calls the tools of some servers. */
import { Context, Effect, Layer } from "effect"
import { type Gateway, type Json, Permissions } from "skein"
import { Mcp } from "skein/mcp"
import { ScriptedModel } from "skein/scripted-model"
import { open } from "../../services/runtime/fixture.js"

/** An engine with the tools of some servers, and the results that its model gets for their calls. */
export const withServers = Effect.fnUntraced(function* (servers: Parameters<typeof Mcp.layer>[0]) {
  const context = yield* Layer.build(Mcp.layer(servers))
  const mcp = Context.get(context, Mcp.Mcp)
  // Waits for their start, however long a busy machine takes: a step would not wait that long.
  yield* Effect.forEach(mcp.servers, (server) => Effect.ignore(mcp.tools(server)), { concurrency: "unbounded" })
  const tools = yield* Effect.provide(Mcp.toolsFor("/work/deep"), context)
  const engine = yield* open({ tools, policy: Permissions.allowAll })
  const run = Effect.fnUntraced(function* (...calls: ReadonlyArray<readonly [name: string, input: Json.JsonRecord]>) {
    yield* engine.model.play(
      ScriptedModel.calls(...calls.map(([name, input]) => ScriptedModel.call({ name }, input))),
      ScriptedModel.text("done")
    )
    const ref = yield* engine.begin("go")
    yield* engine.gateway.await(ref)
    return { ref, lines: (yield* engine.lines(ref.sessionId)).slice(2, -1) }
  })
  /** A call that has asked something, and its result for an answer. */
  const asked = Effect.fnUntraced(function* (name: string, input: Json.JsonRecord) {
    yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call({ name }, input)), ScriptedModel.text("done"))
    const ref = yield* engine.begin("go")
    const { questionId } = yield* engine.seen(ref, "permission.asked")
    const answer = Effect.fnUntraced(function* (given: Omit<Gateway.Answer, "questionId">) {
      yield* engine.gateway.answer({ questionId, ...given })
      yield* engine.gateway.await(ref)
      return (yield* engine.lines(ref.sessionId))[2] ?? ""
    })
    return { question: yield* engine.gateway.question(questionId), answer }
  })
  return { ...engine, mcp, tools, run, asked }
})
