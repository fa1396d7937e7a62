import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Stream } from "effect"
import { Agents, Gateway, Permissions, Run } from "skein"
import { Anthropic } from "skein/anthropic"
import { SkeinNode } from "skein/node"

const agent = Agents.layer({ models: Anthropic.models({ model: "claude-sonnet-4-5" }), policy: Permissions.askToWrite })
export const SkeinLive = SkeinNode.layer({ data: "./data" }).pipe(Layer.provide(agent))

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const session = yield* gateway.create({ workdir: process.cwd() })
  const run = yield* gateway.send({ sessionId: session.id, text: "What is a skein?" })
  yield* Run.events(run).pipe(Stream.runForEach((event) => Console.log(event.type)))
  yield* Console.log(yield* Run.answer(run))
})

NodeRuntime.runMain(program.pipe(Effect.provide(SkeinLive)))
