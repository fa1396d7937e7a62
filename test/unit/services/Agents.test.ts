/** Which agent makes a step, and which of its settings reach the model, the calls and the policy. */
import { FileSystem } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Ref } from "effect"
import { Agents, Gateway, Model, Permissions, Run, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"
import { SkeinNode } from "skein/node"
import { of } from "./runtime/fixture.js"
import { folder } from "./storage/disk.js"

class Prefix extends Context.Tag("test/Prefix")<Prefix, string>() {}

const named = <const Name extends string>(name: Name) =>
  Tool.make(name, { description: name, input: {} }).handle(() => Effect.succeed(`${name} was done`))

const engineOf = <E>(
  agents: Layer.Layer<Agents.Agents, E, ScriptedModel.ScriptedModel>,
  preset = SkeinNode.layerMemory({ drainMillis: 0 })
) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(preset.pipe(Layer.provide(agents), Layer.provideMerge(ScriptedModel.layer)))
    return {
      ...of(Context.get(context, Gateway.Gateway)),
      model: Context.get(context, ScriptedModel.ScriptedModel)
    }
  })

const part = (name: string, fields: Partial<Agents.Definition<readonly [], never, never, never>> = {}) =>
  Agents.make({
    name,
    system: `You are ${name}.`,
    models: Effect.succeed({ resolve: () => Effect.die("unused") }),
    policy: Permissions.allowAll,
    ...fields
  })

/** An agent whose model is the scripted one. */
const scripted = (name: string) =>
  Effect.flatMap(ScriptedModel.models, (models) => part(name, { models: Effect.succeed(models) }))

describe("Agents", () => {
  it.scoped("a session's agent name decides among several agents; a session without one has the first", () =>
    Effect.gen(function* () {
      const { gateway, model, session } = yield* engineOf(Agents.layerAll(scripted("coder"), scripted("reviewer")))
      const plain = yield* session()
      expect(plain.agent).toBeNull()
      for (const { id } of [plain, yield* session({ agent: "reviewer" }), yield* session({ agent: "coder" })]) {
        yield* model.play(ScriptedModel.text("done"))
        yield* Run.answer(yield* gateway.send({ sessionId: id, text: "go" })).pipe(
          Effect.provideService(Gateway.Gateway, gateway)
        )
      }
      expect((yield* model.requests).map(({ system }) => system)).toEqual([
        "You are coder.",
        "You are reviewer.",
        "You are coder."
      ])
    })
  )

  it.scoped("are listed with their models and prices, as far as these are known", () =>
    Effect.gen(function* () {
      const { model } = yield* Effect.provide(ScriptedModel.ScriptedModel, ScriptedModel.layer)
      const prices = { input: 3, output: 15 }
      const cheap = { provider: "local", model: "cheap", standard: false, prices }
      const coder = part("coder", { about: "Writes code", models: Model.always(model), offered: [cheap] })
      const { gateway } = yield* engineOf(Agents.layerAll(coder, part("unknown")))
      expect(yield* gateway.agents()).toEqual([
        { name: "coder", about: "Writes code", standard: true, models: [cheap] },
        { name: "unknown", about: null, standard: false, models: [] }
      ])
      const own = yield* coder
      const dynamic = Agents.layerResolve(() => Effect.succeed(own), [own])
      expect((yield* (yield* engineOf(dynamic)).gateway.agents()).map(({ name }) => name)).toEqual(["coder"])
    })
  )

  it.scoped("a step costs what its model's prices say, and has no cost if the model has no prices", () =>
    Effect.gen(function* () {
      const agentOf = (name: string, prices: Model.Prices | null) =>
        Effect.flatMap(ScriptedModel.models, (models) =>
          part(name, {
            models: Effect.succeed(models),
            offered: [{ provider: "script", model: "queue", standard: true, prices }]
          })
        )
      const { gateway, model, seen, session, transcript } = yield* engineOf(
        Agents.layerAll(agentOf("priced", { input: 3, output: 15, cachedInput: 0.3 }), agentOf("free", null))
      )
      const usage = { inputTokens: 1000, outputTokens: 10, cachedInputTokens: 400 }
      yield* model.play(...[1, 2, 3].map(() => ({ ...ScriptedModel.text("Done"), usage })))
      const { id } = yield* session()
      const runs = []
      for (const agent of ["priced", "free", "priced"]) {
        yield* gateway.patch({ sessionId: id, agent })
        const ref = yield* gateway.send({ sessionId: id, text: "go" })
        runs.push(
          [(yield* gateway.await(ref)).usage, (yield* seen(ref, "run.ended")).usage].map((all) => all.costMicroUsd)
        )
      }
      // 600 × 3 + 400 × 0.3 + 10 × 15
      expect(runs).toEqual([2070, 0, 2070].map((cost) => [cost, cost]))
      expect((yield* gateway.session(id)).usage.costMicroUsd).toBe(4140)
      expect((yield* gateway.sessions()).sessions[0]?.usage.costMicroUsd).toBe(4140)
      const steps = (yield* transcript(id)).flatMap(({ message }) =>
        message.role === "assistant" ? [message.usage] : []
      )
      expect(steps.map(({ costMicroUsd }) => costMicroUsd)).toEqual([2070, undefined, 2070])
    })
  )

  it.scoped("a session's agent can be switched during a run, from the next step on", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const wait = Tool.make("wait", { description: "waits", input: {} }).handle(() =>
        Effect.as(gate.pass("wait"), "ok")
      )
      const coder = Effect.flatMap(scripted("coder"), (agent) => Agents.withTools(agent, wait))
      const { gateway, model, session } = yield* engineOf(Agents.layerAll(coder, scripted("reviewer")))
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(wait, {})), ScriptedModel.text("done"))
      const { id } = yield* session({ agent: "coder" })
      const run = yield* gateway.send({ sessionId: id, text: "go" })
      yield* gate.reached("wait")
      expect(yield* gateway.patch({ sessionId: id, agent: "reviewer" })).toMatchObject({ agent: "reviewer" })
      yield* gate.open("wait")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* model.requests).map(({ system }) => system)).toEqual(["You are coder.", "You are reviewer."])
    })
  )

  it.scoped("an unknown agent's name ends the run as failed, with a detail that lists the known agents", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* engineOf(Agents.layerAll(scripted("coder"), scripted("reviewer")))
      const { id } = yield* session({ agent: "tester" })
      const { detail, stopReason } = yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
      expect([stopReason, detail]).toEqual(["failed", "Agent tester is not available: known are coder, reviewer"])
    })
  )

  it.scoped("an agent's layer requires what its tools, policy and models require", () =>
    Effect.gen(function* () {
      const tool = Tool.make("say", { description: "says", input: {} }).handle(() =>
        Effect.map(Prefix, (prefix) => `${prefix} said`)
      )
      const agent = Agents.layer({
        models: Effect.flatMap(ScriptedModel.ScriptedModel, ({ model }) =>
          Model.resolve(() => Effect.as(Prefix, model))
        ),
        tools: [tool],
        policy: ({ tool }) =>
          Effect.map(Prefix, (prefix) => (tool === "say" ? Permissions.allow : Permissions.deny(prefix)))
      }).pipe(Layer.provide(Layer.succeed(Prefix, "it")))
      const { begin, gateway, lines, model } = yield* engineOf(agent)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("say success: it said")
    })
  )

  it.scoped("are asked for at each step, whose calls find the tools that its model was shown", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const editor = Tool.make("editor", { description: "an editor's", input: {} }).handle(() =>
        Effect.as(gate.pass("editor"), "edited")
      )
      const connected = yield* Ref.make(true)
      const agents = Layer.unwrapEffect(
        Effect.map(scripted("coder"), (agent) =>
          Agents.layerResolve(() =>
            Effect.flatMap(Ref.get(connected), (isConnected) =>
              isConnected ? Agents.withTools(agent, named("look"), editor) : Agents.withTools(agent, named("look"))
            )
          )
        )
      )
      const { begin, gateway, lines, model } = yield* engineOf(agents)
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(editor, {})),
        ScriptedModel.calls(ScriptedModel.call(editor, {}), ScriptedModel.call(named("look"), {})),
        ScriptedModel.text("done")
      )
      const run = yield* begin("go")
      yield* gate.reached("editor")
      yield* Ref.set(connected, false)
      yield* gate.open("editor")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* lines(run.sessionId)).slice(2)).toEqual([
        "editor success: edited",
        "assistant: (editor)(look)",
        "editor unknown-tool: There is no tool editor. Tools: look",
        "look success: look was done",
        "assistant: done"
      ])
      expect((yield* model.requests).map(({ tools }) => tools.map(({ name }) => name))).toEqual([
        ["look", "editor"],
        ["look"],
        ["look"]
      ])
    })
  )

  it.scoped("an agent's options apply where the session's own model sets none", () =>
    Effect.gen(function* () {
      const { gateway, model, session } = yield* engineOf(
        Agents.layer({
          models: ScriptedModel.models,
          policy: Permissions.allowAll,
          options: { temperature: 0, reasoningEffort: "low" }
        })
      )
      yield* model.play(ScriptedModel.text("done"))
      const { id } = yield* session({
        model: { provider: "p", model: "m", options: { reasoningEffort: "high" } }
      })
      yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
      expect((yield* model.requests)[0]?.options).toMatchObject({ temperature: 0, reasoningEffort: "high" })
    })
  )

  it.scoped("a run whose agent is unavailable ends as failed, and says why; a later run works", () =>
    Effect.gen(function* () {
      const isThere = yield* Ref.make(false)
      const agents = Layer.unwrapEffect(
        Effect.map(scripted("coder"), (agent) =>
          Agents.layerResolve(({ agent: name }) =>
            Effect.flatMap(Ref.get(isThere), (there) =>
              there
                ? Effect.succeed(agent)
                : new SkeinError.AgentUnavailable({ agent: name ?? "(none)", detail: "not yet" })
            )
          )
        )
      )
      const { gateway, model, session } = yield* engineOf(agents)
      const { id } = yield* session()
      const failed = yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
      expect([failed.stopReason, failed.detail]).toEqual(["failed", "Agent (none) is not available: not yet"])
      yield* Ref.set(isThere, true)
      yield* model.play(ScriptedModel.text("done"))
      const run = yield* gateway.send({ sessionId: id, text: "again" })
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
    })
  )

  it.scoped("tools that cannot be added end the run as failed, with a detail that names them", () =>
    Effect.gen(function* () {
      const agents = Layer.unwrapEffect(
        Effect.map(scripted("coder"), (agent) =>
          Agents.layerResolve(() => Agents.withTools(agent, named("twice"), named("twice")))
        )
      )
      const { begin, gateway } = yield* engineOf(agents)
      const { detail, stopReason } = yield* gateway.await(yield* begin("go"))
      expect(stopReason).toBe("failed")
      expect(detail).toContain("twice")
    })
  )

  it.scopedLive("a tool uses the services that its host provided, even if the engine has others of the kind", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const tool = Tool.make("exists", { description: "looks", input: {} }).handle(() =>
        Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists("/"))
      )
      const sandbox = FileSystem.layerNoop({ exists: () => Effect.succeed(false) })
      const agent = Agents.layer({ models: ScriptedModel.models, tools: [tool], policy: Permissions.allowAll })
      const { begin, gateway, lines, model } = yield* engineOf(
        Layer.provide(agent, sandbox),
        Layer.orDie(SkeinNode.layer({ data, drainMillis: 0 }))
      )
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("exists success: false")
    })
  )

  it.effect("P12 two agents with the same name are refused", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(Effect.scoped(Layer.build(Agents.layerAll(part("coder"), part("coder")))))
      expect(refused).toMatchObject({ _tag: "InvalidInput", field: "agent.name", actual: "coder" })
    })
  )

  it.effect("P12 the refusal of an invalid setting names it", () =>
    Effect.gen(function* () {
      const refusals = yield* Effect.forEach(
        [part("two words"), part("a", { stepLimit: 0 }), part("a", { options: { temperature: 9 } })],
        Effect.flip
      )
      expect(refusals.map((error) => (error._tag === "InvalidInput" ? error.field : error._tag))).toEqual([
        "agent.name",
        "agent.stepLimit",
        "agent.options.temperature"
      ])
    })
  )
})
