import { Effect, Layer } from "effect"
import * as Telemetry from "../../server/telemetry/Telemetry.js"
import type { ValuesOf } from "../CommandLine.js"
import * as ServeCommand from "../ServeCommand.js"
import { Screen } from "../terminal/Screen.js"
import * as TerminalText from "../terminal/TerminalText.js"
import type * as Commands from "../texts/Commands.js"
import * as Texts from "../texts/Serve.js"

const telemetry = Layer.unwrapEffect(
  Effect.map(Screen, ({ writeError }) => {
    const tell = (text: string) => writeError(`skein: ${TerminalText.line(text)}\n`)
    return Telemetry.layer(process.env, {
      unread: (names) => tell(Texts.unreadVariables(names)),
      failed: (what, host, why) => tell(Texts.unsent(what, host, why)),
      works: (what, host) => tell(Texts.sentAgain(what, host))
    })
  })
)

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
  }).pipe(Effect.provide(telemetry))
