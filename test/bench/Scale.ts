/**
 * Measurements across several machines: engines over one PostgreSQL that syncs, against hand-written `pg` on the same
 * server, and runners of a cluster in processes of their own (`ScaleWorker.ts`).
 */
import { performance } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { Clock, Effect, Exit, Layer, ManagedRuntime, Redacted, Schema, Scope, Stream } from "effect"
import pg from "pg"
import { SkeinCluster } from "../../src/cluster.js"
import { Agents, Gateway, Message, Model, Permissions, Run, SessionEvent, Tool } from "../../src/index.js"
import { SkeinPostgres } from "../../src/postgres.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import * as Server from "../support/postgres/Server.js"
import * as Measure from "./Measure.js"
import type { Row } from "./Row.js"
import * as ScaleWorker from "./ScaleWorker.js"

const text = "The quick brown fox jumps over the lazy dog. ".repeat(22)
const body = JSON.stringify(Message.userText(text))

const millis = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`

let schemas = 0

/** A server for one row. */
const withServer = async <A>(use: (url: string) => Promise<A>): Promise<A> => {
  const scope = await Effect.runPromise(Scope.make())
  try {
    const { start } = await Effect.runPromise(Scope.extend(Server.make({ isDurable: true }), scope))
    const { url } = await Effect.runPromise(Scope.extend(start, scope))
    return await use(url)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("r".repeat(1_000))
)

const engine = (url: string, schema: string) =>
  SkeinPostgres.layer({ url: Redacted.make(url), schema, recoverMillis: null }).pipe(
    Layer.provide(Agents.layer({ models: ScriptedModel.models, tools: [noop], policy: Permissions.allowAll })),
    Layer.provideMerge(ScriptedModel.layer)
  )

const withEngine = async <A>(
  url: string,
  use: (
    run: <B, E>(effect: Effect.Effect<B, E, Gateway.Gateway | ScriptedModel.ScriptedModel>) => Promise<B>
  ) => Promise<A>
): Promise<A> => {
  const runtime = ManagedRuntime.make(engine(url, `bench_${schemas++}`))
  try {
    return await use((effect) => runtime.runPromise(effect))
  } finally {
    await runtime.dispose()
  }
}

/** Raw: one row per commit, over `connections` connections at the same time. */
const raw = async (url: string, connections: number) => {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  await pool.query("DROP TABLE IF EXISTS raw_messages")
  await pool.query("CREATE TABLE raw_messages (session text, seq bigint, body text, PRIMARY KEY (session, seq))")
  let seq = 0
  return {
    append: () =>
      pool.query({
        name: "append",
        text: "INSERT INTO raw_messages (session, seq, body) VALUES ('raw', $1, $2)",
        values: [++seq, body]
      }),
    close: () => pool.end()
  }
}

/** `sessions` writers together append `total` messages; raw makes as many commits, over 64 connections at most. */
const appends = (sessions: number, total: number, aim: string) => (): Promise<Row> =>
  withServer((url) =>
    withEngine(url, async (run) => {
      const byHand = await raw(url, Math.min(sessions, 64))
      const all = await run(
        Effect.flatMap(Gateway.Gateway, (gateway) => Effect.replicateEffect(gateway.create({}), sessions))
      )
      const times = Array.from({ length: total / sessions }, (_, n) => n)
      const ours = () =>
        run(
          Effect.flatMap(Gateway.Gateway, (gateway) =>
            Effect.forEach(
              all,
              ({ id }) => Effect.forEach(times, () => gateway.append(id, [Message.userText(text)]), { discard: true }),
              { concurrency: "unbounded", discard: true }
            )
          )
        )
      const theirs = async () => {
        await Promise.all(
          all.map(async () => {
            for (const _ of times) await byHand.append()
          })
        )
      }
      const pair = await Measure.pair(5, ours, theirs)
      await byHand.close()
      const rate = (each: number) => Math.round((total / each) * 1000)
      return {
        name: `append, ${sessions} ${sessions === 1 ? "session" : "sessions"}, 1 KB`,
        value: `${pair.speed.toFixed(2)}x: ${rate(pair.ours)} against ${rate(pair.theirs)} a second, CPU of the client ${pair.cost.toFixed(1)}x`,
        aim,
        numbers: { speed: pair.speed, ours: rate(pair.ours), theirs: rate(pair.theirs), cost: pair.cost }
      }
    })
  )

const Counted = Schema.Struct({ commits: Schema.Number, rows: Schema.Number, bytes: Schema.Number })

/** What the server has counted so far. Its figures arrive late, so this waits until they no longer change. */
const counted = async (client: pg.Client): Promise<typeof Counted.Type> => {
  const read = async () =>
    Schema.decodeUnknownSync(Counted)(
      (
        await client.query<{ readonly commits: string }>(
          `SELECT xact_commit::float8 AS commits, (tup_inserted + tup_updated + tup_deleted)::float8 AS rows,
             pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes
           FROM pg_stat_database WHERE datname = current_database()`
        )
      ).rows[0]
    )
  let last = await read()
  for (let same = 0; same < 3;) {
    await sleep(1_200)
    const next = await read()
    same = next.rows === last.rows ? same + 1 : 0
    last = next
  }
  return last
}

/** What a turn costs the server: a message, a step with four calls, their results of 1 KB, and an answer. */
const turn = (): Promise<Row> =>
  withServer((url) =>
    withEngine(url, async (run) => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      const turns = 50
      const one = Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const model = yield* ScriptedModel.ScriptedModel
        yield* model.play(
          ScriptedModel.calls(...[1, 2, 3, 4].map((n) => ScriptedModel.call(noop, { n }))),
          ScriptedModel.text("done")
        )
        const { id } = yield* gateway.create({})
        yield* Run.await(yield* gateway.send({ sessionId: id, text }))
      })
      await run(one)
      const statements = ScaleWorker.countStatements()
      const before = await counted(client)
      const sent = statements.count()
      await run(Effect.replicateEffect(one, turns))
      const asked = (statements.count() - sent) / turns
      const after = await counted(client)
      statements.end()
      await client.end()
      const each = (of: keyof typeof Counted.Type) => (after[of] - before[of]) / turns
      return {
        name: "a new session and its turn with 4 calls of 1 KB",
        value: `${asked.toFixed(1)} statements, ${each("commits").toFixed(1)} commits, ${each("rows").toFixed(1)} rows, ${(each("bytes") / 1024).toFixed(1)} KB of WAL`,
        aim: "",
        numbers: { statements: asked, commits: each("commits"), rows: each("rows"), bytes: each("bytes") }
      }
    })
  )

type Cluster = {
  readonly runners: Array<ScaleWorker.Runner>
  readonly start: () => Promise<ScaleWorker.Runner>
  readonly run: <A, E>(effect: Effect.Effect<A, E, Gateway.Gateway>) => Promise<A>
}

/** Runners over one schema, and a front end. */
const withCluster = <A>(count: number, use: (cluster: Cluster) => Promise<A>): Promise<A> =>
  withServer(async (url) => {
    const schema = `bench_${schemas++}`
    const runners: Array<ScaleWorker.Runner> = []
    const start = async () => {
      const runner = await ScaleWorker.start({ url, schema, port: await Effect.runPromise(Server.freePort) })
      runners.push(runner)
      return runner
    }
    for (let n = 0; n < count; n++) await start()
    const front = ManagedRuntime.make(SkeinCluster.client({ ...ScaleWorker.settings, url: Redacted.make(url), schema }))
    try {
      return await use({ runners, start, run: (effect) => front.runPromise(effect) })
    } finally {
      await front.dispose()
      await Promise.all(runners.map(({ kill }) => kill()))
    }
  })

/**
 * From when a run's runner is killed, stopped or told to end until the run goes on elsewhere: until the first thing
 * that is stored there.
 */
const takeOver = (signal: "SIGKILL" | "SIGSTOP" | "SIGTERM", rounds: number) => (): Promise<Row> =>
  withCluster(3, async ({ run, runners, start }) => {
    const times: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      const { cursor, id, title } = await run(
        Effect.gen(function* () {
          const gateway = yield* Gateway.Gateway
          const { id } = yield* gateway.create({})
          yield* gateway.send({ sessionId: id, text: "hang" })
          // The call reports its process id as the session's title.
          return yield* Effect.repeat(gateway.session(id), { until: ({ title }) => Number(title) > 0 })
        })
      )
      const owner = runners.find(({ pid }) => pid === Number(title))
      if (owner === undefined) throw new Error("no runner has the run")
      const from = performance.now()
      owner.signal(signal)
      await run(
        Effect.flatMap(Gateway.Gateway, (gateway) =>
          gateway
            .events({ sessionId: id, after: cursor })
            .pipe(Stream.filter(SessionEvent.is("message.appended")), Stream.take(1), Stream.runDrain)
        )
      )
      times.push(performance.now() - from)
      runners.splice(runners.indexOf(owner), 1)
      await owner.kill()
      await start()
    }
    const [p50, most] = [Measure.median(times), Math.max(...times)]
    const { drainMillis, leaseMillis } = ScaleWorker.settings
    return {
      name: `take-over after ${signal}, lease ${leaseMillis} ms${signal === "SIGTERM" ? `, drained for ${drainMillis} ms` : ""}`,
      value: `p50 ${millis(p50)}, max ${millis(most)} (${rounds} times)`,
      aim: "",
      numbers: { p50, most, lease: leaseMillis }
    }
  })

/** From an event's commit in a runner until it reaches a front end; whole milliseconds of one host's clock. */
const eventLag = (): Promise<Row> =>
  withCluster(2, async ({ run }) => {
    const words = 400
    const times = await run(
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const { id } = yield* gateway.create({})
        yield* gateway.send({ sessionId: id, text: `steps ${words}` })
        return yield* gateway.events({ sessionId: id }).pipe(
          Stream.filter(SessionEvent.is("call.finished")),
          Stream.take(words),
          Stream.mapEffect(({ at }) => Effect.map(Clock.currentTimeMillis, (now) => now - at)),
          Stream.runCollect
        )
      })
    )
    const lags = [...times]
    const [p50, p99] = [Measure.median(lags), Measure.quantile(lags, 0.99)]
    return {
      name: `event lag between runners (${lags.length} events)`,
      value: `p50 ${p50} ms, p99 ${p99} ms`,
      aim: "p99 under 50 ms",
      numbers: { p50, p99 }
    }
  })

/**
 * Messages to many sessions at the same time, each with its whole run: through the cluster, and to an engine of this
 * process.
 */
const sends = (sessions: number, times: number) => (): Promise<Row> =>
  withCluster(2, async ({ run }) => {
    const burst = (gateway: Gateway.Service) =>
      Effect.gen(function* () {
        const all = yield* Effect.replicateEffect(gateway.create({}), sessions)
        const from = performance.now()
        yield* Effect.forEach(
          all,
          ({ id }) =>
            Effect.replicateEffect(
              Effect.flatMap(gateway.send({ sessionId: id, text: "plain" }), gateway.await),
              times
            ),
          { concurrency: "unbounded", discard: true }
        )
        return (sessions * times * 1000) / (performance.now() - from)
      })
    const there = await run(Effect.flatMap(Gateway.Gateway, burst))
    const again = await run(Effect.flatMap(Gateway.Gateway, burst))
    const here = await withServer(async (url) => {
      const runtime = ManagedRuntime.make(
        SkeinPostgres.layer({ url: Redacted.make(url), schema: "bench_here" }).pipe(
          Layer.provide(
            Agents.layer({
              models: Model.always(ScriptedModel.make([ScriptedModel.text("done")])),
              policy: Permissions.allowAll
            })
          )
        )
      )
      const once = () => runtime.runPromise(Effect.flatMap(Gateway.Gateway, burst))
      await once()
      const rate = await once()
      await runtime.dispose()
      return rate
    })
    const through = Math.max(there, again)
    return {
      name: `sends to ${sessions} sessions with their runs, through 2 runners, against an engine of one's own`,
      value: `${(through / here).toFixed(2)}x: ${through.toFixed(0)} against ${here.toFixed(0)} a second`,
      aim: "",
      numbers: { ratio: through / here, through, here }
    }
  })

export const rows: ReadonlyArray<() => Promise<Row>> = [
  appends(1, 1_000, "0.6x"),
  appends(16, 3_200, ""),
  appends(256, 7_680, "2.5x"),
  turn,
  takeOver("SIGKILL", 7),
  takeOver("SIGSTOP", 7),
  takeOver("SIGTERM", 7),
  eventLag,
  sends(32, 8)
]
