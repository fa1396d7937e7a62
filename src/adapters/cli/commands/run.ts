import type { ValuesOf } from "../CommandLine.js"
import * as RunCommand from "../RunCommand.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.run>) =>
  RunCommand.run({
    message: given.argument(0),
    session: given.value("session"),
    last: given.has("last"),
    model: given.value("model"),
    agent: given.value("agent"),
    system: given.value("system"),
    workdir: given.value("workdir"),
    attach: given.value("attach"),
    yes: given.has("yes"),
    resume: given.has("resume"),
    queue: given.has("queue"),
    quiet: given.has("quiet"),
    json: given.has("json"),
    place: given
  })
