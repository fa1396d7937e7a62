import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Layer } from "effect"
import { Agents, Model, Permissions } from "skein"
import { SkeinCluster } from "skein/cluster"
import { ScriptedModel } from "skein/scripted-model"

const models = Model.always(ScriptedModel.make([{ text: "Yarn, wound in one order." }]))
const agent = Agents.layer({ models, policy: Permissions.askToWrite })
const runner = SkeinCluster.layerConfig({
  url: Config.redacted("DATABASE_URL"),
  address: Config.all({ host: Config.string("HOST"), port: Config.integer("PORT") }),
  recovery: Config.succeed("continue"),
  drainMillis: Config.succeed(600_000)
})

NodeRuntime.runMain(Layer.launch(Layer.provide(runner, agent)))
