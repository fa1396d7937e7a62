/**
 * Load on one engine over SQLite: many sessions that run at the same time, subscribers that read and subscribers that
 * do not.
 */
import { Chunk, Duration, Effect, Layer, Random, Ref, Schema, Stream } from "effect"
import {
  Agents,
  EngineConfig,
  Gateway,
  Message,
  Model,
  Permissions,
  Run,
  SessionEvent,
  Tool
} from "../../../src/index.js"
import { SkeinNode } from "../../../src/node.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { callsOf } from "../../../src/domain/Message.js"

/** A call's time is drawn when it runs, so that sessions that play the same script finish in different orders. */
const work = Tool.make("work", {
  description: "works for a while",
  access: "read",
  input: { n: Schema.Number, step: Schema.Number, millis: Schema.Number }
}).handle(({ millis, n }) =>
  Random.nextIntBetween(0, millis + 1).pipe(
    Effect.flatMap((millis) => Effect.sleep(Duration.millis(millis))),
    Effect.as(`result ${n}`)
  )
)

/** What the model of each session does in each of its turns: `steps` steps with `tools` calls each, then an answer. */
export interface Shape {
  readonly steps: number
  readonly tools: number
  /** Longest time that a tool takes, in milliseconds. */
  readonly millis: number
}

const modelOf = ({ millis, steps, tools }: Shape) =>
  ScriptedModel.make([
    ...Array.from({ length: steps }, (_, step) =>
      ScriptedModel.calls(...Array.from({ length: tools }, (_, n) => ScriptedModel.call(work, { n, millis, step })))
    ),
    ScriptedModel.text("done")
  ])

/** An engine whose sessions all play the same script, each from its beginning. */
export const engine = (data: string, shape: Shape, options: EngineConfig.Options = {}) =>
  SkeinNode.layer({ data, repeatLimit: 1_000_000, ...options }).pipe(
    Layer.provide(
      Agents.layer({
        models: Model.always(modelOf(shape)),
        tools: [work],
        policy: Permissions.allowAll,
        stepLimit: 1_000_000
      })
    )
  )

/** Plays one turn in a new session; returns what is wrong with its transcript, an empty list if all is well. */
export const turn = (shape: Shape) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const { id } = yield* gateway.create({ workdir: "/" })
    const ref = yield* gateway.send({ sessionId: id, text: "go" })
    const run = yield* Run.await(ref)
    const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))
    return { ref, faults: faultsOf(entries, run, shape) }
  })

const faultsOf = (entries: ReadonlyArray<Message.Entry>, run: Run.Run, { steps, tools }: Shape) => {
  const faults: Array<string> = []
  if (run.stopReason !== "completed") faults.push(`${run.id} ended as ${run.stopReason}`)
  const length = 2 + steps * (1 + tools)
  if (entries.length !== length) faults.push(`${run.id} has ${entries.length} of ${length} messages`)
  entries.forEach(({ message, seq }, at) => {
    if (seq !== at + 1) faults.push(`${run.id} has ${seq} at place ${at + 1}`)
    callsOf(message).forEach((call, index) => {
      const result = entries[at + 1 + index]?.message
      if (result?.role !== "tool" || result.callId !== call.callId || result.text !== `result ${index}`) {
        faults.push(`${run.id} lacks the result of call ${index} after place ${seq}`)
      }
    })
  })
  return faults
}

/** Watches a session to the end of a run; returns the cursors of the events, which have no gap if all is well. */
export const watch = (ref: Run.Ref) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const seen = yield* Ref.make<ReadonlyArray<number>>([])
    yield* gateway.events({ sessionId: ref.sessionId, after: ref.cursor }).pipe(
      Stream.filter(SessionEvent.isDurable),
      Stream.takeUntil(SessionEvent.is("run.ended")),
      Stream.runForEach(({ cursor }) => Ref.update(seen, (cursors) => [...cursors, cursor]))
    )
    return yield* Ref.get(seen)
  })

/**
 * A session's life: a turn that is watched, a rename, an asset that is read, sometimes deletions. Returns what is
 * wrong.
 */
export const life = (shape: Shape) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const { faults, ref } = yield* turn(shape)
    const { sessionId } = ref
    yield* gateway.patch({ sessionId, title: "renamed" })
    const content = Stream.make(new Uint8Array(200_000).fill(1))
    const asset = yield* gateway.saveAsset({ sessionId, mediaType: "application/octet-stream", content })
    yield* Stream.runDrain(gateway.openAsset({ sessionId, assetId: asset.id }))
    yield* watch(ref)
    if ((yield* Random.next) < 0.5) yield* gateway.deleteAsset(sessionId, asset.id)
    // Most sessions are deleted, so that what is stored does not grow forever while the number of live sessions stays
    // the same.
    if ((yield* Random.next) < 0.9) yield* gateway.delete(sessionId)
    return faults
  })
