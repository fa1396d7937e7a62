/** A process of the tests: an engine on a data folder that obeys the lines on its stdin, see `Protocol.ts`. */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Logger,
  Metric,
  Option,
  Predicate,
  Schema,
  Scope,
  Stream
} from "effect"
import { writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as Platform from "../../../src/adapters/node/Platform.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import * as EventLoop from "../../../src/adapters/EventLoop.js"
import { shell } from "../../../src/adapters/tools/ShellTool.js"
import { textOf, userText } from "../../../src/domain/Message.js"
import type { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import { Agents, Gateway, Model, Permissions, Tool } from "../../../src/index.js"
import { NodeExec, SkeinNode } from "../../../src/node.js"
import * as Metrics from "../../../src/services/Metrics.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { type Answer, type Command, type Failure, Line, Request, Setup } from "./Protocol.js"

const { data, hosts, settings, waits } = Schema.decodeUnknownSync(Setup)(process.argv[2])

const answering = ScriptedModel.make(Array.from({ length: 100 }, () => ScriptedModel.text("An answer")))
const hanging = ScriptedModel.make([ScriptedModel.hang])
const halfway = ScriptedModel.make([{ text: "So far", hang: true }])

/** A model that has the lines of the newest user message run by the shell, one per step. */
const shelling: Model.Model = {
  ...answering,
  step: (request) => {
    const { view } = request
    const asked = view.findLastIndex(({ role }) => role === "user")
    const text = view[asked]?.role === "user" ? view[asked].parts : []
    const lines = text.flatMap((part) => (part.type === "text" ? part.text.split("\n") : []))
    const command = lines[view.slice(asked).filter(({ role }) => role === "tool").length]
    const step =
      command === undefined ? ScriptedModel.text("Done") : ScriptedModel.calls(ScriptedModel.call(shell, { command }))
    return ScriptedModel.make([step]).step({ ...request, view: [] })
  }
}

const beat = Tool.make("beat", { description: "never ends", input: {} }).handle(() =>
  Effect.gen(function* () {
    yield* Effect.sync(() => writeFileSync(join(data, "began"), ""))
    for (;;) {
      const [took] = yield* Effect.timed(Effect.sleep(20))
      if (Duration.toMillis(took) > 1_000) yield* Effect.sync(() => writeFileSync(join(data, "went-on"), ""))
    }
  })
)
const beating = ScriptedModel.make([ScriptedModel.calls(ScriptedModel.call(beat, {}))])

const modelOf = (id: string): Model.Model =>
  id.startsWith("beating")
    ? beating
    : id.startsWith("hang")
      ? hanging
      : id.startsWith("half")
        ? halfway
        : id.startsWith("shell")
          ? shelling
          : answering

const options = { data, ...settings }
const preset =
  hosts === "one"
    ? SkeinNode.layer(options)
    : SkeinNode.layerOver(Layer.provide(SqliteStorage.layer, Platform.layer(data, settings)), options)

const engine = preset.pipe(
  Layer.provide(
    Agents.layer({
      models: Model.resolve(({ id }) => Effect.succeed(modelOf(id))),
      tools: [shell, beat],
      policy: Permissions.allowAll
    })
  ),
  Layer.provide(NodeExec.layer())
)

/** Stdout is for answers only. */
const logger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

const say = (id: number, answer: Answer): void => void writeSync(1, `${Schema.encodeSync(Line)({ id, answer })}\n`)

/** Defects and interruptions are not typed errors, and get tags of their own. */
const failureOf = (cause: Cause.Cause<unknown>): Failure =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => ({ _tag: "Defect", detail: Cause.pretty(cause) }),
    onSome: (error) =>
      Predicate.hasProperty(error, "_tag") && typeof error._tag === "string"
        ? { ...error, _tag: error._tag }
        : { _tag: "Untyped", detail: String(error) }
  })

let opened: { readonly gateway: Gateway.Service; readonly scope: Scope.CloseableScope } | null = null

const open = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(engine, scope).pipe(
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
  opened = { gateway: Context.get(context, Gateway.Gateway), scope }
})

const close = Effect.suspend(() => {
  const scope = opened?.scope
  opened = null
  return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
})

/** How many groups this process has committed. */
const commits = Effect.map(Metric.value(Metrics.commitTime), ({ count }) => count)

const gateway = Effect.suspend(() =>
  opened === null ? Effect.dieMessage("nothing is open") : Effect.succeed(opened.gateway)
)

let stopped = false
let timesRead = 0
let lateness = 0
const watch = Effect.map(Effect.timed(Effect.sleep(10)), ([took]) => {
  lateness = Math.max(lateness, Duration.toMillis(took) - 10)
})

const append = (id: number, { atOnce, bytes, count, name, session }: Extract<Command, { readonly do: "append" }>) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${name} ${index + 1}`),
    (name) =>
      Effect.matchCause(
        Effect.flatMap(gateway, (gateway) =>
          gateway.append(session, [userText(`${name}\n${"x".repeat(Math.max(0, bytes - name.length))}`)])
        ),
        {
          onFailure: (cause) => say(id, { _tag: "Refused", name, failure: failureOf(cause) }),
          onSuccess: () => say(id, { _tag: "Stored", name })
        }
      ),
    { concurrency: atOnce ? "unbounded" : 1, discard: true }
  )

const read = (session: SessionId) =>
  Effect.flatMap(gateway, (gateway) =>
    Stream.runCollect(gateway.transcript({ sessionId: session })).pipe(
      Effect.map((entries) => [...entries].map(({ message }) => textOf(message).split("\n")[0]))
    )
  )

const run = (id: number, command: Command): Effect.Effect<unknown, unknown> =>
  Effect.gen(function* () {
    switch (command.do) {
      case "open":
        return yield* open
      case "close":
        return yield* close
      case "create":
        return (yield* (yield* gateway).create({ id: command.session, workdir: "/" })).id
      case "append":
        return yield* append(id, command)
      case "send": {
        const { key, session, text } = command
        return (yield* (yield* gateway).send({ sessionId: session, text, idempotencyKey: key })).runId
      }
      case "await": {
        const engine = yield* gateway
        const { session, run } = command
        return (yield* engine.await({
          sessionId: session,
          runId: run,
          cursor: (yield* engine.session(session)).cursor
        })).stopReason
      }
      case "cancel": {
        const before = yield* commits
        yield* (yield* gateway).cancel(command.run)
        return (yield* commits) - before
      }
      case "recover":
        return yield* (yield* gateway).recover()
      case "resume": {
        const { key, session } = command
        return (yield* (yield* gateway).resume(session, { idempotencyKey: key })).runId
      }
      case "look": {
        const run = yield* (yield* gateway).run(command.run)
        return { state: run.state, isReleased: run.state === "running" && run.releasedAt !== null }
      }
      case "delete":
        return yield* (yield* gateway).delete(command.session)
      case "hear": {
        const events = (yield* gateway).events({ sessionId: command.session })
        return yield* Stream.runHead(Stream.filter(events, ({ type }) => type === command.type))
      }
      case "types": {
        const engine = yield* gateway
        const { cursor } = yield* engine.session(command.session)
        const events = engine.events({ sessionId: command.session }).pipe(
          Stream.filter(SessionEvent.isDurable),
          Stream.takeUntil((event) => event.cursor === cursor),
          Stream.map(({ type }) => type)
        )
        return yield* Stream.runCollect(events)
      }
      case "save": {
        const content = Stream.make(new Uint8Array(command.bytes).fill(7))
        return (yield* (yield* gateway).saveAsset({
          sessionId: command.session,
          mediaType: "application/octet-stream",
          content
        })).id
      }
      case "load":
        return yield* (yield* gateway)
          .openAsset({ sessionId: command.session, assetId: command.asset })
          .pipe(Stream.runFold(0, (size, bytes) => size + bytes.length))
      case "read":
        return yield* read(command.session)
      case "readOn": {
        while (!stopped) {
          yield* read(command.session)
          yield* EventLoop.turn
          timesRead++
        }
        return null
      }
      case "timesRead":
        return timesRead
      case "stop":
        return void (stopped = true)
      case "activities": {
        const { sessions } = yield* (yield* gateway).sessions({ activity: command.of })
        return Object.fromEntries(sessions.map(({ activity, id }) => [id, activity]))
      }
      case "list":
        return (yield* (yield* gateway).sessions({ limit: 500 })).sessions.map(({ id }) => id)
      case "ping":
        return null
      case "wait":
        return yield* Effect.sleep(command.millis)
      case "lateness": {
        const answer = lateness
        lateness = 0
        return answer
      }
      case "time":
        return yield* Clock.currentTimeMillis
      case "hoard": {
        const hoard: Array<Array<number>> = []
        for (;;) hoard.push(Array.from({ length: 1_000_000 }, () => hoard.length))
      }
    }
  })

const obey = (id: number, command: Command) =>
  Effect.matchCause(run(id, command), {
    onFailure: (cause) => say(id, { _tag: "Failed", failure: failureOf(cause) }),
    onSuccess: (value) => say(id, { _tag: "Done", value: value ?? null })
  })

Effect.runFork(Effect.forever(watch))

const lines = createInterface({ input: process.stdin })
lines.on("line", (line) => {
  const { command, id } = Schema.decodeUnknownSync(Request)(line)
  Effect.runFork(Effect.provide(obey(id, command), logger))
})
lines.on("close", () => void Effect.runPromise(close).finally(() => process.exit(0)))

// The first command comes from nobody: the result of opening is sent as its answer.
if (!waits) Effect.runFork(Effect.provide(obey(0, { do: "open" }), logger))
