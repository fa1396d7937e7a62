import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Gateway, Permissions, Run, SessionEvent } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { ScriptedToolbox, SkeinTest } from "skein/testing"
import { add } from "./tool.js"

const AgentTest = SkeinTest.layer({ tools: ScriptedToolbox.tools(add), policy: Permissions.askToWrite }).pipe(
  Layer.provideMerge(ScriptedToolbox.layer)
)

it.scoped("results are in call order, although the second call finished first", () =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.ScriptedModel
    const tools = yield* ScriptedToolbox.ScriptedToolbox
    const gateway = yield* Gateway.Gateway
    yield* model.play(
      ScriptedModel.calls(ScriptedModel.call(add, { a: 1, b: 1 }), ScriptedModel.call(add, { a: 2, b: 2 })),
      ScriptedModel.text("Two and four.")
    )
    yield* tools.answer(add, ({ a }) =>
      a === 1 ? ScriptedToolbox.afterGate("slow", ScriptedToolbox.succeed("2")) : ScriptedToolbox.succeed("4")
    )
    const session = yield* gateway.create({ workdir: "/" })
    const run = yield* gateway.send({ sessionId: session.id, text: "One and one, two and two?" })
    yield* tools.gate.reached("slow")
    yield* Run.events(run).pipe(Stream.filter(SessionEvent.is("call.finished")), Stream.runHead)
    yield* tools.gate.open("slow")
    assert.strictEqual(yield* Run.answer(run), "Two and four.")
    const results = yield* SkeinTest.results(run)
    assert.deepStrictEqual(
      results.map(({ text }) => text),
      ["2", "4"]
    )
    assert.deepStrictEqual(
      (yield* tools.calls(add)).map(({ state }) => state),
      ["succeeded", "succeeded"]
    )
  }).pipe(Effect.provide(AgentTest))
)
