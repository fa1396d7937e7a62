/**
 * Runners of the benchmark: the same program, started with `runner`. A runner prints `ready` once it has joined its
 * cluster.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { Effect, Layer, Logger, LogLevel, Redacted, Schema } from "effect"
import { NodeRuntime } from "@effect/platform-node"
import pg from "pg"
import { SkeinCluster } from "../../src/cluster.js"
import { Agents, Gateway, Model, Permissions, Tool } from "../../src/index.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"

/** A lease as is usual for hosts that should notice failures soon; runs get 2 s when their runner is told to end. */
export const settings = { leaseMillis: 6_000, drainMillis: 2_000, shardLockMillis: 6_000, assignMillis: 1_000 }

const Work = Schema.Struct({ url: Schema.String, schema: Schema.String, port: Schema.Int })
type Work = typeof Work.Type

/** Never ends; reports its process id as the session's title. */
const hang = Tool.make("hang", { description: "Never ends", access: "read", input: {} }).handle(() =>
  Effect.gen(function* () {
    const { sessionId } = yield* Tool.Call
    const gateway = yield* Effect.promise(() => own)
    yield* gateway.patch({ sessionId, title: `${process.pid}` })
    return yield* Effect.never
  }).pipe(Effect.orDie)
)
const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("done")
)

let tell: (gateway: Gateway.Service) => void
const own = new Promise<Gateway.Service>((resolve) => (tell = resolve))

/** `hang` leads to a call that never ends, `steps N` to one call in each of N steps; anything else is just answered. */
const models = Model.resolve(() =>
  Effect.succeed({
    ...ScriptedModel.make([]),
    step: (request) => {
      const turn = request.view.slice(request.view.findLastIndex(({ role }) => role === "user"))
      const asked = JSON.stringify(turn[0])
      const done = turn.filter(({ role }) => role === "tool").length
      const steps = Number(/steps (\d+)/.exec(asked)?.[1] ?? 0)
      const script =
        asked.includes("hang") && done === 0
          ? ScriptedModel.calls(ScriptedModel.call(hang, {}))
          : done < steps
            ? ScriptedModel.calls(ScriptedModel.call(noop, { n: done }))
            : ScriptedModel.text("done")
      return ScriptedModel.make([script]).step({ ...request, view: [] })
    }
  } satisfies Model.Model)
)

/** The main program of a runner; `given` is its work as JSON. */
export const run = (given: string): void => {
  const { port, schema, url } = Schema.decodeUnknownSync(Schema.parseJson(Work))(given)
  const engine = SkeinCluster.layer({
    ...settings,
    url: Redacted.make(url),
    schema,
    address: { host: "127.0.0.1", port },
    recovery: "continue"
  }).pipe(
    Layer.provide(Agents.layer({ models, tools: [hang, noop], policy: Permissions.allowAll, stepLimit: 1_000 })),
    Layer.provide(Logger.minimumLogLevel(LogLevel.Error))
  )
  NodeRuntime.runMain(
    Effect.gen(function* () {
      tell(yield* Gateway.Gateway)
      process.stdout.write("ready\n")
      return yield* Effect.never
    }).pipe(Effect.provide(engine))
  )
}

export interface Runner {
  readonly pid: number
  readonly signal: (name: NodeJS.Signals) => void
  readonly kill: () => Promise<void>
}

/** Starts a runner in a process of its own, and waits until it has joined. */
export const start = async (work: Work): Promise<Runner> => {
  const child = spawn(process.execPath, [process.argv[1] ?? "", "runner", JSON.stringify(work)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const closed = once(child, "close")
  const next = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  if (next.value !== "ready") throw new Error(`a runner said ${String(next.value)}`)
  return {
    pid: child.pid ?? 0,
    signal: (name) => void child.kill(name),
    kill: async () => {
      child.kill("SIGKILL")
      await closed
    }
  }
}

/** Counts the statements that this process sends from now on. */
export const countStatements = () => {
  const { prototype } = pg.Client
  const query: (this: pg.Client, ...given: ReadonlyArray<unknown>) => unknown = prototype.query
  let count = 0
  Object.assign(prototype, {
    query(this: pg.Client, ...given: ReadonlyArray<unknown>) {
      count++
      return Reflect.apply(query, this, given)
    }
  })
  return { count: () => count, end: () => void Object.assign(prototype, { query }) }
}
