/**
 * A runner of the tests, written as hosts write theirs: `SkeinCluster.layer` and `NodeRuntime.runMain`. It says "up"
 * once it has joined, then lives until it is told to end.
 *
 * For a message that contains "call", its model first asks for one call; then it writes two words. The call writes its
 * process and its id to the session's file of calls, and ends once the gate `SESSION.call` is open; the second word
 * comes once `SESSION.text` is open. A message with "plain" waits for neither.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger, LogLevel, Redacted, Schedule, Schema, Stream } from "effect"
import { appendFileSync, existsSync, writeSync } from "node:fs"
import { join } from "node:path"
import { SkeinCluster } from "../../../src/cluster.js"
import { Agents, Gateway, Model, Permissions, Tool } from "../../../src/index.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import * as Setup from "./Setup.js"

const { address, debugs, folder, placements, port, schema, settings, url } = Schema.decodeUnknownSync(Setup.Setup)(
  process.argv[2]
)

const opened = (gate: string) =>
  Effect.repeat(
    Effect.sync(() => existsSync(join(folder, gate))),
    { until: (isOpen) => isOpen, schedule: Schedule.spaced("20 millis") }
  )

const work = Tool.make("work", { description: "Works.", input: {} }).handle(
  Effect.fnUntraced(function* () {
    const { callId, sessionId } = yield* Tool.Call
    appendFileSync(join(folder, `${sessionId}.calls`), `${process.pid} ${callId}\n`)
    yield* Tool.progress("working")
    yield* opened(`${sessionId}.call`)
    return "worked"
  })
)

const step =
  (sessionId: string): Model.Model["step"] =>
  (request) => {
    const turn = request.view.slice(request.view.findLastIndex(({ role }) => role === "user"))
    const asked = JSON.stringify(turn[0])
    const script =
      asked.includes("call") && turn.length === 1 ? ScriptedModel.calls(ScriptedModel.call(work, {})) : null
    if (script !== null) return ScriptedModel.make([script]).step({ ...request, view: [] })
    const parts = ScriptedModel.make([ScriptedModel.text(["one ", "two"])]).step({ ...request, view: [] })
    return asked.includes("plain")
      ? parts
      : Stream.mapEffect(parts, (part) =>
          part.type === "text" && part.delta === "two"
            ? Effect.as(opened(`${sessionId}.text`), part)
            : Effect.succeed(part)
        )
  }

const models = Model.resolve((session) => Effect.succeed({ ...ScriptedModel.make([]), step: step(session.id) }))

const engine = SkeinCluster.layer({
  ...settings,
  url: Redacted.make(url),
  schema,
  address: { host: "127.0.0.1", port: address },
  listen: { host: "127.0.0.1", port },
  placements,
  recovery: "continue",
  recoverMillis: 200
}).pipe(Layer.provide(Agents.layer({ models, tools: [work], policy: Permissions.allowAll })))

const logger = Layer.merge(
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)),
  Logger.minimumLogLevel(debugs === true ? LogLevel.Debug : LogLevel.Info)
)

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* Gateway.Gateway
    writeSync(1, "up\n")
    return yield* Effect.never
  }).pipe(Effect.provide(engine), Effect.provide(logger)),
  { disablePrettyLogger: true }
)
