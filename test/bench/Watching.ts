/** The cost of many watchers of a session, and of a replay of a long one. */
import { performance } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Chunk, Deferred, Effect, Exit, Layer, Predicate, Schema, Scope, Stream } from "effect"
import * as SkeinNode from "../../src/adapters/node/SkeinNode.js"
import { Agents, Gateway, Model, Permissions, Run, type Session, SessionEvent, Tool, Usage } from "../../src/index.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import * as InFolder from "./InFolder.js"
import * as Measure from "./Measure.js"
import type { Row } from "./Row.js"

const deltas = 40
const pauseMillis = 50

/** Writes 40 deltas, 50 ms apart: two seconds of work, however many watch. */
export const writing: Model.Model = {
  provider: "bench",
  model: "writing",
  contextTokens: null,
  step: () =>
    Stream.range(1, deltas).pipe(
      Stream.mapEffect((n) =>
        Effect.as(Effect.sleep(pauseMillis), { type: "text", id: "t", delta: `word ${n} ` } as const)
      ),
      Stream.concat(Stream.make({ type: "finish", reason: "stop", usage: Usage.unknown } as const))
    )
}

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("done")
)

export const withEngine = <A>(
  models: Effect.Effect<Model.Models>,
  use: (run: InFolder.Run<Gateway.Gateway>) => Promise<A>
) =>
  InFolder.inFolder(
    (data) =>
      SkeinNode.layer({ data, repeatLimit: 1_000_000 }).pipe(
        Layer.provide(Agents.layer({ models, tools: [noop], policy: Permissions.allowAll, stepLimit: 1_000_000 }))
      ),
    use
  )

setFlagsFromString("--expose-gc")
const collector: unknown = runInNewContext("gc")
const isThunk = (value: unknown): value is () => void => Predicate.isFunction(value)

/** Bytes of the heap in use after a garbage collection. */
const heap = Effect.sync(() => {
  if (isThunk(collector)) collector()
  return process.memoryUsage().heapUsed
})

/** Bytes that the process holds after a garbage collection, including the buffers of sockets. */
export const resident = Effect.zipRight(
  heap,
  Effect.sync(() => {
    const { arrayBuffers, external, heapUsed } = process.memoryUsage()
    return heapUsed + external + arrayBuffers
  })
)

/** A step of 40 deltas with `count` watchers: when it ends, what each delivery costs, and what each watcher holds. */
export const watchers = (count: number, aim: string): Promise<Row> =>
  withEngine(Model.always(writing), (run) =>
    run(
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const { cursor, id } = yield* gateway.create({ workdir: "/" })
        let [told, ready] = [0, 0]
        const everybody = yield* Deferred.make<void>()
        const watch = gateway.events({ sessionId: id, after: cursor }).pipe(
          Stream.runForEachChunk((events) =>
            Effect.suspend(() => {
              told += events.length
              if (ready === count) return Effect.void
              return ++ready === count ? Effect.asVoid(Deferred.succeed(everybody, undefined)) : Effect.void
            })
          )
        )
        const before = yield* heap
        const scope = yield* Scope.make()
        yield* Effect.forEach(Array.from({ length: count }), () => Effect.forkIn(watch, scope), { discard: true })
        yield* gateway.patch({ sessionId: id, title: "all are there" })
        yield* Deferred.await(everybody)
        yield* Effect.sleep(100)
        const kib = ((yield* heap) - before) / 1024 / count
        told = 0
        const cpu = process.cpuUsage()
        const start = performance.now()
        yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
        const millis = performance.now() - start
        const used = process.cpuUsage(cpu)
        const micros = (used.user + used.system) / told
        yield* Scope.close(scope, Exit.void)
        return {
          name: `${count} watchers, a step of ${deltas} deltas ${pauseMillis} ms apart`,
          value: `${(millis / 1_000).toFixed(2)} s, ${micros.toFixed(0)} µs CPU an event, ${kib.toFixed(1)} KiB a watcher`,
          aim,
          numbers: { millis, micros, kib }
        }
      })
    )
  )

interface LongSession {
  readonly sessionId: Session.Id
  readonly cursor: Session.Cursor
}

/** A session whose run made `calls` calls, ten per step. */
export const withLongSession = <A>(
  calls: number,
  use: (run: InFolder.Run<Gateway.Gateway>, session: LongSession) => Promise<A>
): Promise<A> =>
  withEngine(
    Model.always(
      ScriptedModel.make([
        ...Array.from({ length: calls / 10 }, (_, step) =>
          ScriptedModel.calls(...Array.from({ length: 10 }, (_, n) => ScriptedModel.call(noop, { n: step * 10 + n })))
        ),
        ScriptedModel.text("done")
      ])
    ),
    async (run) =>
      use(
        run,
        await run(
          Effect.gen(function* () {
            const gateway = yield* Gateway.Gateway
            const { id } = yield* gateway.create({ workdir: "/" })
            yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
            return { sessionId: id, cursor: (yield* gateway.session(id)).cursor }
          })
        )
      )
  )

/** A replay of all events of a session, against a read of its transcript. */
export const replay = (calls: number, aim: string): Promise<Row> =>
  withLongSession(calls, async (run, { cursor, sessionId }) => {
    const events = () =>
      run(
        Effect.flatMap(Gateway.Gateway, (gateway) =>
          gateway.events({ sessionId }).pipe(
            Stream.takeUntil((event) => SessionEvent.isDurable(event) && event.cursor >= cursor),
            Stream.runDrain
          )
        )
      )
    let entries = 0
    const transcript = () =>
      run(
        Effect.flatMap(Gateway.Gateway, (gateway) =>
          gateway.transcript({ sessionId }).pipe(
            Stream.runCollect,
            Effect.map((all) => void (entries = Chunk.size(all)))
          )
        )
      )
    const pair = await Measure.pair(15, events, transcript)
    return {
      name: `replay of ${cursor} events, against the ${entries} entries' transcript`,
      value: `${(1 / pair.speed).toFixed(2)}x the time (${pair.ours.toFixed(1)} ms)`,
      aim,
      numbers: { factor: 1 / pair.speed, millis: pair.ours, transcriptMillis: pair.theirs }
    }
  })
