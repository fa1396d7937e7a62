import { Console, Effect, Layer } from "effect"
import { Agents, Gateway, Model, Permissions, Run } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

const models = Model.always(ScriptedModel.make([{ text: "Yarn, wound in one order." }]))
const agent = Agents.layer({ models, policy: Permissions.askToWrite })
const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const session = yield* gateway.create({})
  const run = yield* gateway.send({ sessionId: session.id, text: "What is a skein?" })
  yield* Console.log(yield* Run.answer(run))
})

const SkeinLive = Layer.provide(SkeinNode.layer({ data: "./data" }), agent)
await Effect.runPromise(program.pipe(Effect.provide(SkeinLive)))
