/** SQLite storage in the folder named by the argument, for the tests across processes. */
import { NodeRuntime } from "@effect/platform-node"
import { Layer } from "effect"
import { serve } from "skein/testing"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { engineIn } from "./disk.js"

const [directory = ""] = process.argv.slice(2)

NodeRuntime.runMain(serve(Layer.provide(engineIn(directory), EngineConfig.layer({ synchronous: "NORMAL" }))))
