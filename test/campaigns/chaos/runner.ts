/**
 * A runner of the campaign, written as hosts write theirs. It sends the messages that it is asked for on stdin, and
 * lives until it is told to end. Each message makes the agent call the tool as often as the message says, and then
 * answer. Each call creates a file of its own.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, HashMap, Layer, Logger, LogLevel, Metric, Option, Redacted, Runtime, Schedule, Schema } from "effect"
import { writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { createInterface } from "node:readline"
import { SkeinCluster } from "../../../src/cluster.js"
import { Agents, Gateway, Model, Permissions, Session, Tool } from "../../../src/index.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import type { StepRequest } from "../../../src/services/Model.js"
import * as Metrics from "../../../src/services/Metrics.js"
import { Ask, callsOf, Said, Setup } from "./Setup.js"

const { folder, gate, leaseMillis, port, schema, url, workMillis } = Schema.decodeUnknownSync(Setup)(process.argv[2])

const say = (said: Said): void => void writeSync(1, `${Schema.encodeSync(Said)(said)}\n`)

const work = Tool.make("work", { description: "Works.", input: { part: Schema.Int } }).handle(
  Effect.fnUntraced(function* () {
    const { callId } = yield* Tool.Call
    try {
      writeFileSync(join(folder, callId), "", { flag: "wx" })
    } catch {
      say({ _tag: "Twice", callId })
    }
    yield* Effect.sleep(workMillis)
    return "worked"
  })
)

/** The newest turn alone decides which step comes: the user message, then a step and its result for each call. */
const model: Model.Model = {
  ...ScriptedModel.make([]),
  step: (request: StepRequest) => {
    const turn = request.view.slice(request.view.findLastIndex(({ role }) => role === "user"))
    const [asked] = turn
    const part = asked?.role === "user" ? asked.parts.at(-1) : undefined
    const calls = part?.type === "text" ? callsOf(part.text) : 0
    const done = (turn.length - 1) / 2
    const step =
      done < calls ? ScriptedModel.calls(ScriptedModel.call(work, { part: done })) : ScriptedModel.text("done")
    return ScriptedModel.make([step]).step({ ...request, view: [] })
  }
}

const host = "127.0.0.1"

/** Short times, so that a fault soon shows its effect. */
const brisk = (lease: number) => ({
  shards: 60,
  shardLockMillis: lease,
  assignMillis: 500,
  healthMillis: 1_000,
  reachMillis: 1_000,
  giveUpMillis: 2 * lease,
  leaseMillis: lease,
  busyMaxMillis: 2 * lease,
  recoverMillis: 250,
  recoverRuns: 10_000
})

const engine = SkeinCluster.layer({
  ...(leaseMillis === null ? {} : brisk(leaseMillis)),
  url: Redacted.make(url),
  schema,
  address: { host, port: gate },
  listen: { host, port },
  drainMillis: 2 * workMillis,
  recovery: "continue"
}).pipe(Layer.provide(Agents.layer({ models: Model.always(model), tools: [work], policy: Permissions.allowAll })))

const send = Effect.fnUntraced(function* ({ sessionId, text }: typeof Ask.Type) {
  const gateway = yield* Gateway.Gateway
  const id = Session.Id.make(sessionId)
  const message = { sessionId: id, text, idempotencyKey: text, whenBusy: "queue" } as const
  yield* Effect.catchTag(gateway.send(message), "SessionNotFound", () =>
    gateway.create({ id }).pipe(
      Effect.catchTag("SessionExists", () => Effect.void),
      Effect.zipRight(gateway.send(message))
    )
  )
})

const attempt = (ask: typeof Ask.Type) =>
  Effect.match(send(ask), {
    onFailure: ({ _tag }) => say({ _tag: "Refused", text: ask.text, error: _tag }),
    onSuccess: () => say({ _tag: "Took", text: ask.text })
  })

const recoveredFor = (reason: string) => Metric.value(Metric.tagged(Metrics.recoveredRuns, "reason", reason))

let told = ""
const tell = Effect.gen(function* () {
  const { count: fenced } = yield* Metric.value(Metrics.fencedRuns)
  const counts = yield* Effect.forEach(["crashed", "lease-lost", "released"], recoveredFor)
  const recovered = counts.reduce((sum, { count }) => sum + count, 0)
  if (told !== `${fenced} ${recovered}`) say({ _tag: "Counts", fenced, recovered })
  told = `${fenced} ${recovered}`
})

const delays = monitorEventLoopDelay({ resolution: 20 })
delays.enable()
const tellPace = Effect.map(Metric.value(Metrics.liveRuns), ({ value }) => {
  say({ _tag: "Pace", stoodStill: Math.round(delays.max / 1_000_000), runs: value })
  delays.reset()
})

/** Reports to the driver what becomes of leases, in the order in which it is logged. */
const leaseLogger = Logger.make<unknown, void>(({ annotations, message }) => {
  const text = (name: string) => String(Option.getOrElse(HashMap.get(annotations, name), () => ""))
  const lease = `${text("runId")} ${text("fence")}`
  const logged = String(message)
  if (logged === "a run was released") say({ _tag: "Released", lease })
  if (logged === "took a run over") say({ _tag: "TookOver", lease, reason: text("reason") })
})

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* Gateway.Gateway
    const runtime = yield* Effect.runtime<Gateway.Gateway>()
    say({ _tag: "Up" })
    createInterface({ input: process.stdin }).on("line", (line) => {
      // With the loggers of this program: other loggers write to stdout, which is for the driver.
      Runtime.runFork(runtime)(attempt(Schema.decodeUnknownSync(Ask)(line)))
    })
    yield* Effect.fork(Effect.repeat(tellPace, Schedule.spaced("1 second")))
    yield* Effect.repeat(tell, Schedule.spaced("200 millis"))
  }).pipe(
    Effect.provide(engine),
    Effect.provide(
      Logger.replace(Logger.defaultLogger, Logger.zip(Logger.withConsoleError(Logger.logfmtLogger), leaseLogger))
    ),
    Logger.withMinimumLogLevel(LogLevel.Info)
  ),
  { disablePrettyLogger: true }
)
