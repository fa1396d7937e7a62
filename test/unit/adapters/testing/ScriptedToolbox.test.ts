import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { Gateway, Permissions, Run, SessionEvent, Tool, Toolbox } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { ScriptedToolbox, SkeinTest } from "skein/testing"

class Forecasts extends Context.Tag("test/Forecasts")<Forecasts, { readonly of: (city: string) => number }>() {}

const weather = Tool.make("weather", {
  description: "The weather of a city",
  access: "read",
  input: { city: Schema.String }
}).handle(({ city }) => Effect.map(Forecasts, (forecasts) => forecasts.of(city)))

const cityOf = ({ city }: { readonly [field: string]: unknown }) => (typeof city === "string" ? city : "none")

const AgentTest = SkeinTest.layer({
  tools: ScriptedToolbox.tools(weather, { name: "book", access: "read" }),
  policy: Permissions.askToWrite
}).pipe(Layer.provideMerge(ScriptedToolbox.layer))

const ask = (...cities: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const model = yield* ScriptedModel.ScriptedModel
    const gateway = yield* Gateway.Gateway
    yield* model.play(
      ScriptedModel.calls(...cities.map((city) => ScriptedModel.call(weather, { city }))),
      ScriptedModel.text("So it is.")
    )
    const session = yield* gateway.create({ workdir: "/" })
    return yield* gateway.send({ sessionId: session.id, text: "How is it?" })
  })

const results = (run: Run.Ref) =>
  Effect.map(SkeinTest.results(run), (results) => results.map(({ outcome, text }) => `${outcome}: ${text}`))

const made = (calls: ReadonlyArray<ScriptedToolbox.CallRecord>) =>
  calls.map(({ input, state, tool }) => `${tool} ${JSON.stringify(input)} ${state}`)

describe("ScriptedToolbox", () => {
  it.scoped("plays a result with parts", () =>
    Effect.gen(function* () {
      const toolbox = yield* ScriptedToolbox.ScriptedToolbox
      const diff = { path: "Oslo.txt", before: null, after: "rain" }
      yield* toolbox.play(weather, ScriptedToolbox.succeed(Tool.result({ text: "rain", json: 7, diffs: [diff] })))
      const run = yield* ask("Oslo")
      yield* Run.await(run)
      const [result] = yield* SkeinTest.results(run)
      assert.strictEqual(result?.text, "rain")
      assert.deepStrictEqual(result?.parts, [
        { type: "json", value: 7 },
        { type: "diff", ...diff }
      ])
    }).pipe(Effect.provide(AgentTest))
  )

  it.scoped("plays one outcome per call instead of running the tool's handler, and records the calls", () =>
    Effect.gen(function* () {
      const tools = yield* ScriptedToolbox.ScriptedToolbox
      yield* tools.play(weather, ScriptedToolbox.succeed({ celsius: -3 }))
      yield* tools.play("weather", ScriptedToolbox.fail("no such city"))
      const first = yield* ask("Oslo")
      yield* Run.await(first)
      assert.deepStrictEqual(yield* results(first), ['success: {"celsius":-3}'])
      const second = yield* ask("Nowhere")
      yield* Run.await(second)
      const [text = ""] = yield* results(second)
      assert.match(text, /^failure: .*no such city/u)
      assert.deepStrictEqual(made(yield* tools.calls()), [
        'weather {"city":"Oslo"} succeeded',
        'weather {"city":"Nowhere"} failed'
      ])
      assert.deepStrictEqual(yield* tools.calls("book"), [])
    }).pipe(Effect.provide(AgentTest))
  )

  it.scoped("answers by input when no outcome is queued, and fails a call without an answer and says so", () =>
    Effect.gen(function* () {
      const tools = yield* ScriptedToolbox.ScriptedToolbox
      const unanswered = yield* ask("Oslo")
      yield* Run.await(unanswered)
      const [text = ""] = yield* results(unanswered)
      assert.match(text, /^failure: .*no outcome was played for weather/u)
      yield* tools.answer(weather, (input) => ScriptedToolbox.succeed(`sunny in ${cityOf(input)}`))
      const run = yield* ask("Rome", "Bari")
      yield* Run.await(run)
      assert.deepStrictEqual(yield* results(run), ["success: sunny in Rome", "success: sunny in Bari"])
      assert.deepStrictEqual(
        (yield* tools.calls(weather)).map(({ state }) => state),
        ["failed", "succeeded", "succeeded"]
      )
    }).pipe(Effect.provide(AgentTest))
  )

  it.scoped("P3 never late: a call that waits at a gate holds up no other", () =>
    Effect.gen(function* () {
      const tools = yield* ScriptedToolbox.ScriptedToolbox
      yield* tools.answer(weather, (input) =>
        ScriptedToolbox.afterGate(cityOf(input), ScriptedToolbox.succeed(cityOf(input)))
      )
      const run = yield* ask("slow", "fast")
      yield* tools.gate.reached("slow")
      yield* tools.gate.open("fast")
      yield* Run.events(run).pipe(Stream.filter(SessionEvent.is("call.finished")), Stream.runHead)
      assert.deepStrictEqual(made(yield* tools.calls()).toSorted(), [
        'weather {"city":"fast"} succeeded',
        'weather {"city":"slow"} running'
      ])
      yield* tools.gate.open("slow")
      yield* Run.await(run)
      assert.deepStrictEqual(yield* results(run), ["success: slow", "success: fast"])
    }).pipe(Effect.provide(AgentTest))
  )

  it.scoped("a hanging call ends with its run, and a dying call ends by itself", () =>
    Effect.gen(function* () {
      const tools = yield* ScriptedToolbox.ScriptedToolbox
      const gateway = yield* Gateway.Gateway
      yield* tools.answer(weather, ({ city }) =>
        city === "hangs"
          ? ScriptedToolbox.afterGate("hanging", ScriptedToolbox.hang)
          : ScriptedToolbox.die(new Error("broken"))
      )
      const run = yield* ask("hangs", "dies")
      yield* tools.gate.open("hanging")
      yield* tools.gate.reached("hanging")
      yield* Run.events(run).pipe(Stream.filter(SessionEvent.is("call.finished")), Stream.runHead)
      yield* gateway.cancel(run.runId)
      yield* Run.await(run)
      const [hung = "", died = ""] = yield* results(run)
      assert.match(hung, /^interrupted/u)
      assert.match(died, /^defect: .*broken/u)
      assert.deepStrictEqual(made(yield* tools.calls()).toSorted(), [
        'weather {"city":"dies"} failed',
        'weather {"city":"hangs"} interrupted'
      ])
    }).pipe(Effect.provide(AgentTest))
  )

  it.effect("P12 clear refusal: an invalid name, or the same name twice", () =>
    Effect.gen(function* () {
      const build = (...names: ReadonlyArray<string>) => Effect.flip(Toolbox.make(...ScriptedToolbox.tools(...names)))
      assert.strictEqual((yield* build("two", "two"))._tag, "DuplicateTool")
      assert.strictEqual((yield* build("no name"))._tag, "InvalidInput")
    }).pipe(Effect.provide(ScriptedToolbox.layer))
  )
})
