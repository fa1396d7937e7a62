/**
 * A host of the tests, written as hosts are written: `SkeinNode.layer`, or `SkeinPostgres.layer`, and
 * `NodeRuntime.runMain`. Each of its jobs has a session and an idempotency key of its own, the job's name. It reports
 * what becomes of them, see `HostProtocol.ts`.
 *
 * A job takes three calls. Each writes a line with its id to the job's file, then works for a while.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger, Redacted, Schema, Stream } from "effect"
import { appendFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { StepRequest } from "../../../src/services/Model.js"
import { Agents, Gateway, Model, Permissions, Run, Session, Tool } from "../../../src/index.js"
import { SkeinNode } from "../../../src/node.js"
import { SkeinPostgres } from "../../../src/postgres.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { Line, type Said, Setup } from "./HostProtocol.js"

const { atOnce, database, drainMillis, folder, jobs, leaseMillis, recoverMillis, role, workMillis } =
  Schema.decodeUnknownSync(Setup)(process.argv[2])

const say = (said: Said): void => void writeSync(1, `${Schema.encodeSync(Line)(said)}\n`)

const work = Tool.make("work", { description: "Works.", input: { part: Schema.String } }).handle(
  Effect.fnUntraced(function* ({ part }) {
    const { callId, sessionId } = yield* Tool.Call
    appendFileSync(join(folder, sessionId), `${callId}\n`)
    say({ _tag: "Entered", job: sessionId })
    yield* Effect.sleep(workMillis)
    return `${part} is done`
  })
)

const steps = [
  ScriptedModel.calls(ScriptedModel.call(work, { part: "one" }), ScriptedModel.call(work, { part: "two" })),
  ScriptedModel.calls(ScriptedModel.call(work, { part: "three" })),
  ScriptedModel.text("Done")
]

/** The newest turn alone decides which step comes. */
const model: Model.Model = {
  ...ScriptedModel.make([]),
  step: (request: StepRequest) => {
    const turn = request.view.slice(request.view.findLastIndex(({ role }) => role === "user"))
    const step = steps[turn.filter(({ role }) => role === "assistant").length]
    return ScriptedModel.make(step === undefined ? [] : [step]).step({ ...request, view: [] })
  }
}

/** Creates a job's session unless it exists, and returns the message that asks for its run. */
const begin = Effect.fnUntraced(function* (job: string) {
  const gateway = yield* Gateway.Gateway
  const sessionId = Session.Id.make(job)
  yield* Effect.catchTag(gateway.create({ id: sessionId }), "SessionExists", () => Effect.void)
  return { sessionId, text: `do ${job}`, idempotencyKey: job }
})

/** Waits for the end of a session's run as a mere watcher. */
const hear = Effect.fnUntraced(function* (job: string) {
  const gateway = yield* Gateway.Gateway
  const events = gateway.events({ sessionId: Session.Id.make(job) })
  yield* Stream.runForEachWhile(events, (event) =>
    Effect.sync(() => {
      if (event.type !== "run.ended") return true
      say({ _tag: "Ended", job, stopReason: event.stopReason })
      return false
    })
  )
})

const doing = Effect.fnUntraced(function* (job: string) {
  switch (role) {
    case "settle": {
      const { stopReason } = yield* Run.settle(yield* begin(job))
      return say({ _tag: "Ended", job, stopReason })
    }
    case "send":
      yield* (yield* Gateway.Gateway).send(yield* begin(job))
      return yield* Effect.never
    case "watch":
      return yield* hear(job)
  }
})

const options = { data: join(folder, "data"), drainMillis, leaseMillis, recoverMillis }

const preset =
  database === null
    ? SkeinNode.layer(options)
    : SkeinPostgres.layer({ ...options, url: Redacted.make(database.url), schema: database.schema })

const engine = preset.pipe(
  Layer.provide(Agents.layer({ models: Model.always(model), tools: [work], policy: Permissions.allowAll }))
)

const logger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

NodeRuntime.runMain(
  Effect.forEach(jobs, doing, { concurrency: atOnce, discard: true }).pipe(
    Effect.provide(engine),
    // A line of the log among what the host says would not be understood.
    Effect.tapErrorCause(Effect.logError),
    Effect.provide(logger)
  ),
  { disablePrettyLogger: true, disableErrorReporting: true }
)
