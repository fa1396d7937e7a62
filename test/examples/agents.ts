/**
 * Agents by owner: the session's owner decides the model, the prompt, the tools and how many steps a run may take.
 *
 * The host is asked at each step, so that a user who upgrades in the middle of a run has the better agent from the next
 * step on. The agents are made once, because making one reads the schemas of its tools.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Context, Effect, Layer } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Session, Tool } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

class Plans extends Context.Tag("app/Plans")<
  Plans,
  { readonly of: (owner: Session.Owner | null) => Effect.Effect<"free" | "paid"> }
>() {}

const PlansLive = Layer.succeed(Plans, { of: (owner) => Effect.succeed(owner === "ada" ? "paid" : "free") })

const search = Tool.make("search", { description: "Searches the archive", access: "read", input: {} }).handle(() =>
  Effect.succeed("three letters of 1843")
)

const free = Agents.make({
  name: "free",
  system: "Answer in one sentence.",
  models: Model.always(ScriptedModel.make([ScriptedModel.text("I have no archive.")], "small")),
  policy: Permissions.askToWrite,
  stepLimit: 3
})

const paid = Agents.make({
  name: "paid",
  system: "Look before you answer.",
  models: Model.always(
    ScriptedModel.make(
      [ScriptedModel.calls(ScriptedModel.call(search, {})), ScriptedModel.text("There are three letters.")],
      "large"
    )
  ),
  tools: [search],
  policy: Permissions.askToWrite
})

const AgentsLive = Layer.unwrapEffect(
  Effect.map(Effect.all({ free, paid }), (agents) =>
    Agents.layerResolve(({ owner }) =>
      Effect.gen(function* () {
        return agents[yield* (yield* Plans).of(owner)]
      })
    )
  )
).pipe(Layer.provide(PlansLive))

const program = Effect.forEach(["ada", "bob"], (name) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const session = yield* gateway.create({})
    const run = yield* gateway.send({ sessionId: session.id, text: "What is in the archive?" })
    yield* Console.log(`${name}: ${yield* Run.answer(run)}`)
  }).pipe(Gateway.restricted({ owner: Session.Owner.make(name) }))
)

NodeRuntime.runMain(program.pipe(Effect.provide(Layer.provide(SkeinNode.layerMemory(), AgentsLive))))
