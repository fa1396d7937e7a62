import { Effect } from "effect"
import * as Telemetry from "../../server/telemetry/Telemetry.js"
import type { ValuesOf } from "../CommandLine.js"
import * as ServeCommand from "../ServeCommand.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.serve>) =>
  ServeCommand.run({
    port: given.value("port"),
    host: given.value("host"),
    knows: given.has("i-know"),
    names: given.value("names"),
    origins: given.value("origins"),
    basePath: given.value("base-path"),
    behindProxy: given.has("behind-proxy"),
    socket: given.value("socket"),
    drain: given.value("drain"),
    open: given.has("open"),
    root: given.value("root"),
    model: given.value("model"),
    address: given.value("address"),
    json: given.has("json"),
    place: given
  }).pipe(Effect.provide(Telemetry.layer(process.env)))
