import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Layer } from "effect"
import { Agents, Model, Permissions } from "skein"
import { SkeinHttp } from "skein/http"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

const models = Model.always(ScriptedModel.make([{ text: "Yarn, wound in one order." }]))
const agent = Agents.layer({ models, policy: Permissions.askToWrite })
const skein = Layer.provide(SkeinNode.layer({ data: "./data" }), agent)
const server = NodeHttpServer.layerConfig(SkeinHttp.createServer, {
  host: Config.succeed("127.0.0.1"),
  port: Config.withDefault(Config.integer("PORT"), 4747)
})
const served = HttpServer.withLogAddress(SkeinHttp.serve)

NodeRuntime.runMain(Layer.launch(Layer.provide(served, [skein, SkeinHttp.everybody, server])))
