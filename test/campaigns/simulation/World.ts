/**
 * What is simulated: engines over one storage, a model and tools that do whatever the seed says, and records of what
 * was acknowledged and announced, with which storage is compared.
 *
 * Each engine has its own connections to the storage, as if it were in a process of its own, and can be killed like a
 * process.
 */
import { Cause, Clock, Context, Effect, FiberRef, Layer, Schema, Stream } from "effect"
import type { EngineId } from "../../../src/domain/Lease.js"
import type { CallId } from "../../../src/domain/Message.js"
import type { QuestionId } from "../../../src/domain/Permission.js"
import type { RunId } from "../../../src/domain/Run.js"
import type { SessionId } from "../../../src/domain/Session.js"
import { ModelFailed } from "../../../src/domain/SkeinError.js"
import type { Part } from "../../../src/domain/StepDraft.js"
import * as Usage from "../../../src/domain/Usage.js"
import * as NodeHashing from "../../../src/adapters/node/NodeHashing.js"
import * as Assets from "../../../src/services/assets/Assets.js"
import * as EngineConfig from "../../../src/services/EngineConfig.js"
import * as Engine from "../../../src/services/Engine.js"
import type { EventSignals } from "../../../src/services/storage/EventSignals.js"
import { Gateway } from "../../../src/services/gateway/Gateway.js"
import { Ids } from "../../../src/services/Ids.js"
import * as Model from "../../../src/services/Model.js"
import * as Agents from "../../../src/services/Agents.js"
import { AssetFiles } from "../../../src/services/assets/AssetFiles.js"
import { Engines } from "../../../src/services/Engines.js"
import * as Permissions from "../../../src/services/Permissions.js"
import { Storage, StorageReader } from "../../../src/services/storage/Storage.js"
import * as Tool from "../../../src/services/Tool.js"
import type { Occurrence } from "./Coverage.js"
import { processOf, type SeededScheduler } from "./SeededScheduler.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import type { Dice } from "../../support/verdicts/Dice.js"
import type { Process } from "../../support/verdicts/KnownSession.js"

const settings: EngineConfig.Options = {
  toolTimeoutMillis: 2_000,
  modelAttempts: 2,
  modelRetryMaxMillis: 300,
  busyMaxMillis: 5_000,
  // A simulated process is killed between two turns and never loses what it wrote.
  synchronous: "NORMAL",
  limits: { resultCharacters: 120 }
}

export const config = EngineConfig.layer(settings)

/** How a world's engines treat runs that were left behind; the dice decide. */
export const recovering = ({ chance, pick }: Dice): Pick<EngineConfig.Service, (typeof recoverySettings)[number]> => ({
  recovery: chance(0.6) ? "continue" : "end",
  drainMillis: pick([0, 0, 300, 10_000]),
  continueWithinMillis: pick([50, 600_000, 600_000]),
  recoverMillis: chance(0.3) ? 500 : null
})

const recoverySettings = ["recovery", "drainMillis", "continueWithinMillis", "recoverMillis"] as const

const behaviours = ["quick", "slow", "fail", "die", "hang", "stubborn", "big", "progress", "ask"] as const

/** What a client was shown of a session. */
export interface SeenSnapshot {
  readonly sessionId: SessionId
  readonly cursor: number
  /** What had not ended: calls, open questions, runs. */
  readonly calls: ReadonlyArray<CallId>
  readonly questions: ReadonlyArray<QuestionId>
  readonly runs: ReadonlyArray<RunId>
  /** Places of results that were stored but not appended. */
  readonly places: ReadonlyArray<number>
}

/** A watcher of a session, and how far it has come. */
export interface Watcher {
  readonly sessionId: SessionId
  readonly process: string
  cursor: number
}

export interface World {
  readonly random: Dice
  readonly scheduler: SeededScheduler
  readonly ground: Ground
  readonly files: AssetFiles["Type"]
  readonly ids: Ids["Type"]
  /** Breaches that were found where they could not be thrown. */
  readonly breaches: Array<string>
  readonly note: (occurrence: Occurrence) => void
  /** Processes whose database has no room for any write. */
  readonly full: Set<string>
  /** The process that sent a run, for each acknowledged run. */
  readonly sentBy: Map<RunId, string>
  readonly snapshots: Array<SeenSnapshot>
  readonly watchers: Array<Watcher>
  /** Returns a number that was never returned before. */
  readonly next: () => number
  /** How often a call's handler was started. */
  readonly started: Map<CallId, number>
  readonly recovery: ReturnType<typeof recovering>
  /** Sends and resumptions under a key, with the run that each got as its answer. */
  readonly keyed: Array<{ readonly text: string; readonly runId: RunId }>
  /** Messages that were appended under a key, and the places that were reported for them. */
  readonly appended: Map<string, { readonly sessionId: SessionId; seq: number | null }>
  /** The processes in which a step of a session is running. */
  readonly steps: Map<SessionId, Set<string>>
  /** How many handlers are running, by key. */
  readonly running: Map<string, number>
}

export const dice = ({ random }: SeededScheduler): Dice => ({
  chance: (probability) => random.number() < probability,
  below: (limit) => random.integer(limit),
  pick: (options) => options[random.integer(options.length)] ?? broken("simulation", "nothing to pick from")
})

/** Files on a disk that is sometimes slow, before and after each operation. */
export const slowly = (files: AssetFiles["Type"], { below, chance }: Dice): AssetFiles["Type"] => {
  const wait = Effect.suspend(() => (chance(0.15) ? Effect.sleep(below(80)) : Effect.void))
  const slow = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.zipRight(wait, Effect.zipLeft(effect, wait))
  return {
    ...files,
    begin: (upload) => slow(files.begin(upload)),
    place: (upload, file) => slow(files.place(upload, file)),
    end: (upload) => slow(files.end(upload)),
    remove: (file) => slow(files.remove(file)),
    removeEmpty: (folder) => slow(files.removeEmpty(folder)),
    entries: (folder) => slow(files.entries(folder))
  }
}

export const sequentialIds = (): Ids["Type"] => {
  let count = 0
  return { next: (prefix) => Effect.sync(() => `${prefix}_${String(++count).padStart(6, "0")}`) }
}

const Input = { behaviour: Schema.Literal(...behaviours), key: Schema.String, millis: Schema.Number }

/** One tool that does what its input says. */
const work = (world: World) =>
  Tool.make("work", { description: "Does what it is told.", input: Input }).handle(
    Effect.fnUntraced(function* ({ behaviour, key, millis }) {
      const { callId, sessionId } = yield* Tool.Call
      const times = (world.started.get(callId) ?? 0) + 1
      world.started.set(callId, times)
      if (times > 1) world.breaches.push(`P5: call ${callId} was started ${times} times`)
      const resource = `${yield* FiberRef.get(processOf)}/${sessionId}/${key}`
      const together = (world.running.get(resource) ?? 0) + 1
      world.running.set(resource, together)
      if (key !== "" && together > 1)
        world.breaches.push(`keys: ${together} calls work on ${resource} at the same time`)
      return yield* Effect.gen(function* () {
        switch (behaviour) {
          case "quick":
            return `done ${callId}`
          case "ask":
          case "slow":
            yield* Effect.sleep(millis)
            return `done ${callId}`
          case "progress":
            for (let part = 0; part < 3; part++) {
              yield* Tool.progress(`part ${part}`)
              yield* Effect.sleep(millis / 3)
            }
            return `done ${callId}`
          case "fail":
            return yield* Effect.fail(new Error("it failed"))
          case "die":
            return yield* Effect.die(new Error("it died"))
          case "hang":
            return yield* Effect.never
          case "stubborn":
            yield* Effect.uninterruptible(Effect.sleep(millis * 10))
            return `late ${callId}`
          case "big":
            return "x".repeat(500)
        }
      }).pipe(Effect.ensuring(Effect.sync(() => world.running.set(resource, (world.running.get(resource) ?? 1) - 1))))
    }),
    { key: ({ key, millis }) => (key === "" ? `alone-${millis}` : key) }
  )

const policy: Permissions.Policy = ({ input }) =>
  Effect.succeed(
    input.includes('"ask"')
      ? Permissions.ask
      : input.includes('"millis":13')
        ? Permissions.deny("thirteen")
        : Permissions.allow
  )

const callOf = (world: World, index: number): ReadonlyArray<Part> => {
  const { below, chance, pick } = world.random
  const input = chance(0.05)
    ? '{"behaviour":"qui'
    : JSON.stringify({ behaviour: pick(behaviours), key: pick(["", "a", "b"]), millis: below(40) * 13 })
  return [
    { type: "call.delta", index, name: "work", delta: input.slice(0, 5) },
    { type: "call", index, name: chance(0.05) ? "nothing" : "work", input, providerCallId: `call_${below(3)}` }
  ]
}

/** A model whose answers are random. */
const model = (world: World): Model.Model => {
  const { below, chance } = world.random
  const failed = (reason: ModelFailed["reason"]) =>
    new ModelFailed({ model: "dice", reason, status: null, retryAfterMillis: null, detail: "so it fell" })
  return {
    provider: "dice",
    model: "dice",
    contextTokens: null,
    step: () =>
      Stream.suspend(() => {
        const texts = Array.from({ length: 1 + below(3) }, (_, n): Part => ({
          type: "text",
          id: "t",
          delta: `word ${n} `
        }))
        const calls = chance(0.65) ? Array.from({ length: 1 + below(4) }, (_, n) => callOf(world, n)).flat() : []
        const finish: Part = { type: "finish", reason: calls.length > 0 ? "tool-calls" : "stop", usage: Usage.unknown }
        const parts = Stream.fromIterable([...texts, ...calls]).pipe(
          Stream.tap(() => (chance(0.3) ? Effect.sleep(below(50)) : Effect.void))
        )
        if (chance(0.06)) return Stream.concat(Stream.take(parts, below(4)), Stream.fail(failed("overloaded")))
        if (chance(0.03)) return Stream.concat(Stream.take(parts, below(4)), Stream.fail(failed("rejected")))
        if (chance(0.02)) return Stream.die(new Error("the model broke"))
        if (chance(0.02)) return Stream.concat(parts, Stream.never)
        if (chance(0.02)) return parts
        return Stream.concat(parts, Stream.make(finish))
      })
  }
}

/**
 * The same model, which records a breach when a living engine begins a step of a session while another living engine
 * runs a step in it. An engine whose disk is full gives no signs, and may have lost its runs without knowing it.
 */
const alone = (
  { breaches, full, scheduler, steps }: World,
  process: string,
  sessionId: SessionId,
  sound: Model.Model
): Model.Model => ({
  ...sound,
  step: (request) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const running = steps.get(sessionId) ?? new Set()
        steps.set(sessionId, running)
        for (const other of running) {
          if (other === process || !scheduler.isAlive(other) || full.has(other) || full.has(process)) continue
          breaches.push(`P9: ${sessionId} runs in ${other} and in ${process}`)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => running.add(process)),
          () => Effect.sync(() => running.delete(process))
        )
        return sound.step(request)
      })
    )
})

/** The storage below an engine; each process has its own layer. */
export type Ground = Layer.Layer<Storage | StorageReader | EventSignals, unknown, Ids | AssetFiles>

/** An engine in a process of its own. */
export const engine = Effect.fnUntraced(function* (world: World, process: string) {
  const self: EngineId = {
    bootId: "boot",
    pidNamespace: "ns",
    pid: 1,
    startTime: process,
    instance: process,
    host: null
  }
  const given = Layer.mergeAll(
    Layer.succeed(AssetFiles, world.files),
    Layer.succeed(Ids, world.ids),
    Agents.layer({
      models: Model.resolve(({ id }) => Effect.succeed(alone(world, process, id, model(world)))),
      tools: [work(world)],
      policy,
      stepLimit: 4
    }),
    Layer.succeed(Engines, {
      self,
      sign: Effect.map(Clock.currentTimeNanos, (nanos) => ({ clock: "host", at: Number(nanos / 1_000_000n) })),
      elapsed: () => 0,
      liveness: (engine) => Effect.sync(() => (world.scheduler.isAlive(engine.instance) ? "alive" : "dead"))
    }),
    NodeHashing.layer
  )
  const context = yield* Layer.build(
    Engine.layer.pipe(
      Layer.provide(Assets.layer),
      Layer.provideMerge(world.ground),
      Layer.provide(given),
      Layer.provide(EngineConfig.layer({ ...settings, ...world.recovery })),
      Layer.orDie,
      Layer.fresh
    )
  ).pipe(Effect.locally(processOf, process))
  return { process, gateway: Context.get(context, Gateway), reader: Context.get(context, StorageReader) }
})
/** Starts an actor that belongs to a process, and so may be killed with it. */
export const start = (world: World, { process }: Process, actor: Effect.Effect<unknown>) =>
  actor.pipe(
    Effect.tapErrorCause((cause) =>
      Effect.sync(() => {
        if (!Cause.isInterruptedOnly(cause)) world.breaches.push(String(Cause.squash(cause)))
      })
    ),
    Effect.forkDaemon,
    Effect.locally(processOf, process)
  )
