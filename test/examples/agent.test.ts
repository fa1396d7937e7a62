/** Tests of an agent and its tools: a whole engine in memory, a model that plays a script, gates instead of sleeps. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { Gateway, Permissions, Run, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, SkeinTest } from "skein/testing"
import { myOrders, Orders, Weather, weather } from "./tools.js"

const AgentTest = SkeinTest.layer({ tools: [weather], policy: Permissions.askToWrite }).pipe(
  Layer.provide(Layer.succeed(Weather, { celsius: (city) => Effect.succeed(city === "Oslo" ? -3 : 14) }))
)

it.scoped("asks for both cities, then answers", () =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.ScriptedModel
    const gateway = yield* Gateway.Gateway
    yield* model.play(
      ScriptedModel.calls(
        ScriptedModel.call(weather, { city: "Oslo", unit: "C" }),
        ScriptedModel.call(weather, { city: "Rome", unit: "C" })
      ),
      ScriptedModel.text("Rome is warmer.")
    )
    const session = yield* gateway.create({ workdir: "/" })
    const run = yield* gateway.send({ sessionId: session.id, text: "Oslo or Rome?" })
    assert.strictEqual(yield* Run.answer(run), "Rome is warmer.")
    const results = yield* SkeinTest.results(run)
    assert.deepStrictEqual(
      results.map((result) => result.text),
      [`{"degrees":-3,"unit":"C"}`, `{"degrees":14,"unit":"C"}`]
    )
  }).pipe(Effect.provide(AgentTest))
)

it.effect("runs a tool on its own", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* SkeinTest.call(myOrders, {}, { metadata: { user: "ada" } }), ["a1"])
  }).pipe(
    Effect.provideService(Orders, {
      ofUser: (user) => Effect.succeed([`${user.charAt(0)}1`]),
      export: () => Stream.empty
    })
  )
)

it.scoped("results are in call order, whichever call finishes first", () =>
  Effect.gen(function* () {
    const gate = yield* Gate.make
    const slow = Tool.make("slow", { description: "waits", access: "read", input: { name: Schema.String } }).handle(
      ({ name }) => Effect.as(gate.pass(name), name)
    )
    const Engine = SkeinTest.layer({ tools: [slow], policy: Permissions.askToWrite })
    yield* Effect.gen(function* () {
      const model = yield* ScriptedModel.ScriptedModel
      const gateway = yield* Gateway.Gateway
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(slow, { name: "first" }), ScriptedModel.call(slow, { name: "second" })),
        ScriptedModel.text("done")
      )
      const session = yield* gateway.create({ workdir: "/" })
      const run = yield* gateway.send({ sessionId: session.id, text: "go" })
      yield* gate.open("second")
      yield* Run.events(run).pipe(Stream.filter(SessionEvent.is("call.finished")), Stream.runHead)
      yield* gate.open("first")
      yield* Run.await(run)
      assert.deepStrictEqual(
        (yield* SkeinTest.results(run)).map((result) => result.text),
        ["first", "second"]
      )
    }).pipe(Effect.provide(Engine))
  })
)
