/** The cases. A ratio compares ours with raw better-sqlite3 in the same run, at the same durability. */
import { performance } from "node:perf_hooks"
import { Chunk, Effect, Layer, Random, Schema, Stream } from "effect"
import { Checked } from "../../src/domain/Checked.js"
import * as Limits from "../../src/domain/Limits.js"
import { Agents, Gateway, Message, Permissions, Run, Session, Tool } from "../../src/index.js"
import * as SkeinNode from "../../src/adapters/node/SkeinNode.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import { Storage, StorageReader } from "../../src/services/storage/Storage.js"
import { Engines } from "../../src/services/Engines.js"
import * as InFolder from "./InFolder.js"
import * as Measure from "./Measure.js"
import type * as Peers from "./Peers.js"
import * as Raw from "./Raw.js"
import type { Row } from "./Row.js"
import * as NewSession from "../support/NewSession.js"

const text = "The quick brown fox jumps over the lazy dog. ".repeat(22)
const body = JSON.stringify(Message.userText(text))

const newSession = (id: string) =>
  Effect.flatMap(Storage, (storage) => storage.createSession(NewSession.bare(Session.Id.make(id))))

const ratio = (
  name: string,
  aim: string,
  { ours, speed, theirs }: Pick<Measure.Pair, "ours" | "speed" | "theirs">
): Row => ({
  name,
  value: `${speed.toFixed(2)}x`,
  aim,
  numbers: { speed, oursMillis: ours, rawMillis: theirs }
})

/** A ratio with its CPU cost as well. */
const withCost = (name: string, aim: string, pair: Measure.Pair): Row => {
  const { numbers, value, ...row } = ratio(name, aim, pair)
  return {
    ...row,
    value: `${value}, CPU ${pair.cost.toFixed(1)}x, longest stretch ${pair.stretch.toFixed(0)} ms`,
    numbers: { ...numbers, cost: pair.cost, stretch: pair.stretch }
  }
}

const checked = <M extends Message.Message>(message: M) => Checked.message(message, Limits.defaults)

/** `writers` fibers together append `total` messages; raw makes as many commits. */
export const appends = (writers: number, total: number, aim: string): Promise<Row> =>
  InFolder.withStorage(async (run) => {
    const raw = Raw.open()
    const sessions = Array.from({ length: writers }, (_, n) => Session.Id.make(`writer-${n}`))
    await run(Effect.forEach(sessions, newSession))
    const ours = () =>
      run(
        Effect.flatMap(Storage, (storage) =>
          Effect.forEach(
            sessions,
            (id) =>
              Effect.forEach(
                Array.from({ length: total / writers }),
                () => Effect.flatMap(checked(Message.userText(text)), (message) => storage.append(id, [message])),
                { discard: true }
              ),
            { concurrency: "unbounded", discard: true }
          )
        )
      )
    const theirs = () => {
      for (let n = 0; n < total; n++) raw.append(body)
    }
    const pair = await Measure.pair(5, ours, theirs)
    raw.close()
    return ratio(`append, ${writers} ${writers === 1 ? "writer" : "writers"}, 1 KB`, aim, pair)
  })

/** Reads and decodes a whole transcript of `count` messages, against reading rows with `JSON.parse`. */
export const reads = (count: number, aim: string): Promise<Row> =>
  InFolder.withStorage(async (run) => {
    const raw = Raw.open()
    const sessionId = Session.Id.make("reader")
    await run(newSession(sessionId))
    for (let n = 0; n < count; n += 500) {
      await run(
        Effect.flatMap(Storage, (storage) =>
          Effect.flatMap(Effect.all(Array.from({ length: 500 }, () => checked(Message.userText(text)))), (messages) =>
            storage.append(sessionId, messages)
          )
        )
      )
    }
    for (let n = 0; n < count; n++) raw.append(body)
    const ours = () =>
      run(Effect.flatMap(StorageReader, (reader) => Stream.runCollect(reader.transcript({ sessionId }))))
    const pair = await Measure.pair(count > 5_000 ? 9 : 40, ours, () => void raw.read(count))
    raw.close()
    return ratio(`read ${count} messages, decoded`, aim, pair)
  })

/** Completes a batch of `count` calls in shuffled order, all at the same time, against as many raw commits. */
export const completions = (count: number, aim: string): Promise<Row> =>
  InFolder.withStorage(async (run) => {
    const raw = Raw.open()
    const result = "r".repeat(1024)
    let round = 0
    const ours = async () => {
      const opened = await run(
        Effect.gen(function* () {
          const storage = yield* Storage
          const { self, sign } = yield* Engines
          const { id } = yield* newSession(`batch-${++round}`)
          const admitted = yield* storage.admit({
            sessionId: id,
            runId: Run.Id.make(`run-${round}`),
            message: yield* checked(Message.userText("go")),
            metadata: Checked.noMetadata,
            output: null,
            idempotencyKey: null,
            hash: "",
            textHash: "",
            whenBusy: "refuse",
            presence: { engine: self, sign: yield* sign, leaseMillis: 15_000, placements: [] }
          })
          if (admitted._tag !== "Started") return yield* Effect.dieMessage("the session is not free")
          const parts = Array.from({ length: count }, (_, n) => ({
            type: "call" as const,
            callId: Message.CallId.make(`call-${round}-${n}`),
            name: "noop",
            input: "{}"
          }))
          const step = yield* checked({
            role: "assistant",
            parts,
            model: { provider: "bench", model: "bench" },
            finish: "tool-calls",
            usage: { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
          })
          const { calls } = yield* storage.appendStep(admitted.lease, step)
          return { lease: admitted.lease, calls: Chunk.toReadonlyArray(yield* Random.shuffle(calls)) }
        })
      )
      const start = performance.now()
      await run(
        Effect.flatMap(Storage, (storage) =>
          Effect.forEach(
            opened.calls,
            ({ callId, seq }) =>
              Effect.flatMap(
                checked({ role: "tool", callId, name: "noop", outcome: "success", text: result }),
                (message) => storage.storeResult(opened.lease, seq, message)
              ),
            { concurrency: "unbounded", discard: true }
          )
        )
      )
      return performance.now() - start
    }
    const message = JSON.stringify({ role: "tool", callId: "call", name: "noop", outcome: "success", text: result })
    const theirs = () => {
      for (let n = 0; n < count; n++) raw.append(message)
    }
    await ours()
    theirs()
    const times: Array<{ readonly ours: number; readonly theirs: number }> = []
    for (let n = 0; n < 5; n++) times.push({ theirs: await Measure.timed(theirs), ours: await ours() })
    raw.close()
    return ratio(`complete ${count} calls, shuffled, 1 KB`, aim, {
      ours: Measure.median(times.map((time) => time.ours)),
      theirs: Measure.median(times.map((time) => time.theirs)),
      speed: Measure.median(times.map((time) => time.theirs / time.ours))
    })
  })

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("done")
)
const slow = Tool.make("slow", {
  description: "Takes a while",
  access: "read",
  input: { millis: Schema.Number }
}).handle(({ millis }) => Effect.as(Effect.sleep(millis), "done"))

/** A whole engine in a folder of its own. */
const withEngine = <A>(use: (run: InFolder.Run<Gateway.Gateway | ScriptedModel.ScriptedModel>) => Promise<A>) =>
  InFolder.inFolder(
    (data) =>
      SkeinNode.layer({ data }).pipe(
        Layer.provide(
          Agents.layer({ models: ScriptedModel.models, tools: [noop, slow], policy: Permissions.askToWrite })
        ),
        Layer.provideMerge(ScriptedModel.layer)
      ),
    use
  )

/** Appends through the Gateway: `sessions` fibers together append `total` messages, against as many raw commits. */
export const gatewayAppends = (sessions: number, total: number, aim: string): Promise<Row> =>
  withEngine(async (run) => {
    const raw = Raw.open()
    const message = Message.userText(text)
    const made = await run(
      Effect.flatMap(Gateway.Gateway, (gateway) =>
        Effect.forEach(Array.from({ length: sessions }), () => gateway.create({ workdir: "/" }))
      )
    )
    const ours = () =>
      run(
        Effect.flatMap(Gateway.Gateway, (gateway) =>
          Effect.forEach(made, ({ id }) => Effect.replicateEffect(gateway.append(id, [message]), total / sessions), {
            concurrency: "unbounded",
            discard: true
          })
        )
      )
    const theirs = () => {
      for (let n = 0; n < total; n++) raw.append(body)
    }
    const pair = await Measure.pair(5, ours, theirs)
    raw.close()
    return withCost(`Gateway append, ${sessions} ${sessions === 1 ? "session" : "sessions"}, 1 KB`, aim, pair)
  })

/** A turn in a new session, with one batch of `count` tools that do nothing. */
const turn = (count: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const model = yield* ScriptedModel.ScriptedModel
    const calls = Array.from({ length: count }, (_, n) => ScriptedModel.call(noop, { n }))
    yield* model.play(ScriptedModel.calls(...calls), ScriptedModel.text("done"))
    const { id } = yield* gateway.create({ workdir: "/" })
    yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
  })

/** A whole turn, against two raw commits per call: one for its start and one for its result. */
export const turns = (count: number, aim: string): Promise<Row> =>
  withEngine(async (run) => {
    const raw = Raw.open()
    const theirs = () => {
      for (let n = 0; n < 2 * count; n++) raw.append(body)
    }
    const pair = await Measure.pair(5, () => run(turn(count)), theirs)
    raw.close()
    return withCost(`a turn with ${count} no-op tools, against ${2 * count} raw commits`, aim, pair)
  })

/** A whole turn, against the same turn in another framework: CPU and time. */
export const turnsAgainst = (peer: Peers.Peer, count: number, aim: string): Promise<Row> =>
  withEngine(async (run) => {
    const folder = Raw.folder()
    const pair = await Measure.pair(15, () => run(turn(count)), await peer.open(folder, count))
    Raw.remove(folder)
    return {
      name: `a turn with ${count} no-op tools, against ${peer.name}`,
      value: `CPU ${pair.cost.toFixed(2)}x, ${(1 / pair.speed).toFixed(2)}x the time`,
      aim: `CPU ${aim}`,
      numbers: { cost: pair.cost, factor: 1 / pair.speed, oursMillis: pair.ours, peerMillis: pair.theirs }
    }
  })

/** Renames, one after the other, while a batch of 200 tools runs and finishes. */
export const renames = (): Promise<Row> =>
  withEngine((run) =>
    run(
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const model = yield* ScriptedModel.ScriptedModel
        const calls = Array.from({ length: 200 }, (_, n) => ScriptedModel.call(slow, { millis: 10 + n * 10 }))
        yield* model.play(ScriptedModel.calls(...calls), ScriptedModel.text("done"))
        const { id } = yield* gateway.create({ workdir: "/" })
        const ref = yield* gateway.send({ sessionId: id, text: "go" })
        const times: Array<number> = []
        for (let n = 0; (yield* gateway.run(ref.runId)).state !== "ended"; n++) {
          const start = performance.now()
          yield* gateway.patch({ sessionId: id, title: `title ${n}` })
          times.push(performance.now() - start)
          yield* Effect.sleep(2)
        }
        const [p50, p99, most] = [Measure.median(times), Measure.quantile(times, 0.99), Math.max(...times)]
        return {
          name: `rename beside a running batch (${times.length} times)`,
          value: `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${most.toFixed(1)} ms`,
          aim: "p99 under 20 ms",
          numbers: { p50, p99, most }
        }
      })
    )
  )
