import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect } from "effect"
import { Gateway, Run } from "skein"
import { SkeinCluster } from "skein/cluster"

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const session = yield* gateway.create({})
  const run = yield* gateway.send({ sessionId: session.id, text: "What is a skein?" })
  yield* Console.log(yield* Run.answer(run))
})

const frontend = SkeinCluster.clientConfig({ url: Config.redacted("DATABASE_URL") })

NodeRuntime.runMain(Effect.provide(program, frontend))
