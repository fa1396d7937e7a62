/** The cost of long sessions, and of many sessions. */
import Sqlite from "better-sqlite3"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { cpuUsage } from "node:process"
import { Clock, Duration, Effect, Layer, Schema, Stream } from "effect"
import * as EventLoop from "../../src/adapters/EventLoop.js"
import * as SkeinNode from "../../src/adapters/node/SkeinNode.js"
import { Checked } from "../../src/domain/Checked.js"
import * as Limits from "../../src/domain/Limits.js"
import { Agents, Gateway, Message, Model, Permissions, Run, Session, Tool, Usage } from "../../src/index.js"
import { Storage } from "../../src/services/storage/Storage.js"
import * as InFolder from "./InFolder.js"
import * as Measure from "./Measure.js"
import type { Row } from "./Row.js"
import * as NewSession from "../support/NewSession.js"

const text = "The quick brown fox jumps over the lazy dog. ".repeat(22)

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("done")
)

const furtherSteps = 10

/** Asks for a tool ten times, then ends. At each step `asked` is passed the CPU time used so far, in milliseconds. */
const stepping = (asked: (millis: number) => void): Model.Model => {
  let step = 0
  return {
    provider: "bench",
    model: "stepping",
    contextTokens: 100_000,
    step: () => {
      const { system, user } = cpuUsage()
      asked((system + user) / 1000)
      const isLast = step === furtherSteps
      step = isLast ? 0 : step + 1
      return isLast
        ? Stream.make(
            { type: "text", id: "t", delta: "done" } as const,
            { type: "finish", reason: "stop", usage: Usage.unknown } as const
          )
        : Stream.make(
            { type: "call", index: 0, providerCallId: `call-${step}`, name: "noop", input: '{"n":1}' } as const,
            { type: "finish", reason: "tool-calls", usage: Usage.unknown } as const
          )
    }
  }
}

const engineOn = (data: string, model: Model.Model) =>
  SkeinNode.layer({ data, repeatLimit: 1_000 }).pipe(
    Layer.provide(
      Agents.layer({ models: Model.always(model), tools: [noop], policy: Permissions.allowAll, stepLimit: 1_000 })
    )
  )

const message = (n: number): Gateway.ForeignMessage =>
  n % 2 === 0
    ? Message.userText(text)
    : {
        role: "assistant",
        parts: [{ type: "text", text }],
        model: { provider: "bench", model: "stepping" },
        finish: "stop",
        usage: Usage.unknown
      }

/** CPU of the first step after a send, and of each further step, in a small and a large session. */
export const steps = async (small: number, large: number, aim: string): Promise<Row> => {
  const times: Array<number> = []
  const model = stepping((millis) => void times.push(millis))
  const newSession = (count: number) =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      for (let n = 0; n < count; n += 200) {
        yield* gateway.append(
          id,
          Array.from({ length: 200 }, (_, at) => message(n + at))
        )
      }
      return id
    })
  const turn = (sessionId: Session.Id) =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      times.length = 0
      const { system, user } = cpuUsage()
      const from = (system + user) / 1000
      yield* Run.await(yield* gateway.send({ sessionId, text: "go" }))
      const [first = Number.NaN] = times
      return { first: first - from, further: ((times.at(-1) ?? Number.NaN) - first) / furtherSteps }
    })
  return InFolder.inFolder(
    (folder) => engineOn(folder, model),
    (run) =>
      run(
        Effect.gen(function* () {
          const [smaller, larger] = [yield* newSession(small), yield* newSession(large)]
          yield* Effect.all([turn(smaller), turn(larger)])
          const rounds = yield* Effect.replicateEffect(Effect.all([turn(smaller), turn(larger)]), 7)
          const of = (part: "first" | "further") =>
            Measure.median(rounds.map(([inSmall, inLarge]) => inLarge[part] / inSmall[part]))
          const numbers = { first: of("first"), further: of("further") }
          return {
            name: `a step at ${large} messages, against one at ${small}, window 100,000 tokens`,
            value: `CPU ${numbers.first.toFixed(1)}x the first after a send, ${numbers.further.toFixed(1)}x each further one`,
            aim,
            numbers
          }
        })
      )
  )
}

/** A page of 1 and a page of 50, among `count` sessions. */
export const pages = async (count: number, aim: string): Promise<Row> => {
  const model = stepping(() => undefined)
  return InFolder.inFolder(
    (folder) => engineOn(folder, model),
    (run) =>
      run(
        Effect.gen(function* () {
          const gateway = yield* Gateway.Gateway
          yield* Effect.replicateEffect(gateway.create({ workdir: "/" }), count).pipe(
            Effect.withConcurrency(256),
            Effect.asVoid
          )
          const page = (limit: number) =>
            Effect.map(
              Effect.replicateEffect(
                Effect.map(Effect.timed(gateway.sessions({ limit })), ([time]) => Duration.toMillis(time)),
                30
              ),
              Measure.median
            )
          const numbers = { one: yield* page(1), fifty: yield* page(50) }
          return {
            name: `a page of 1 and of 50, among ${count} sessions`,
            value: `${numbers.one.toFixed(1)} ms, ${numbers.fifty.toFixed(1)} ms`,
            aim,
            numbers
          }
        })
      )
  )
}

/**
 * Removes the old events of one session that has `count` messages and as many events with rows of their own, as runs
 * record them, and measures how long the event loop is held.
 */
export const retention = async (count: number, aim: string): Promise<Row> => {
  const short = "The quick brown fox jumps over the lazy dog."
  return InFolder.withStorage(async (run, folder) => {
    const storage = await run(Storage)
    await run(
      Effect.gen(function* () {
        const id = Session.Id.make("old")
        yield* storage.createSession(NewSession.bare(id))
        const portion = 1_000
        const messages = yield* Effect.replicateEffect(
          Checked.message(Message.userText(short), Limits.defaults),
          portion
        )
        yield* Effect.replicateEffect(storage.append(id, messages), count / portion)
      })
    )
    const database = new Sqlite(join(folder, "skein.db"))
    database.exec(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
       INSERT INTO event_rows (session, cursor, mark, at, type)
       SELECT ordinal, cursor + n, 0, updated_at, 'session.renamed' FROM session_rows, numbers`
    )
    database.exec(`UPDATE session_rows SET cursor = cursor + ${count}`)
    database.close()
    const now = await Effect.runPromise(Clock.currentTimeMillis)
    const from = performance.now()
    const { stretch } = await Measure.longestStretch(() =>
      run(
        Effect.iterate(true, {
          while: (isMore) => isMore,
          body: () => Effect.zipLeft(storage.prune({ before: now + 1, keep: 0, since: now + 1 }), EventLoop.turn)
        })
      )
    )
    const millis = performance.now() - from
    return {
      name: `retention over ${count} messages and as many events beside them`,
      value: `longest stretch ${stretch.toFixed(0)} ms, ${(millis / 1000).toFixed(1)} s in all`,
      aim,
      numbers: { stretch, millis }
    }
  })
}
