/**
 * Engines over one storage in memory, as if each were in a process of its own. What `SkeinTest` fixes can be chosen
 * here: the models, the storage as an engine sees it, and what engines know about each other's life.
 */
import { Clock, Context, Effect, Exit, identity, Layer, Scope } from "effect"
import { Agents, EngineConfig, Gateway, type Model, Permissions } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import type { EngineId } from "../../../../src/domain/Lease.js"
import type { Liveness } from "../../../../src/domain/Liveness.js"
import { AssetFiles, type Service as FilesService } from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import { CallProcesses } from "../../../../src/services/CallProcesses.js"
import * as Engine from "../../../../src/services/Engine.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryFiles from "../../../../src/services/assets/MemoryFiles.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import { Engines } from "../../../../src/services/Engines.js"
import { Mirrors } from "../../../../src/services/gateway/Mirrors.js"
import { Shares } from "../../../../src/services/runtime/Shares.js"
import {
  type ReaderService,
  type Service as StorageService,
  Storage,
  StorageReader
} from "../../../../src/services/storage/Storage.js"
import * as SequentialIds from "../../../support/SequentialIds.js"
import { type AgentParts, of, partsOf } from "./fixture.js"

export interface Options extends AgentParts {
  readonly models?: Effect.Effect<Model.Models>
  /** Instead of one agent made of the parts. */
  readonly agents?: Layer.Layer<Agents.Agents>
  readonly config?: Parameters<typeof EngineConfig.layer>[0]
  /** The storage as this engine sees it. */
  readonly storage?: (storage: StorageService) => StorageService
  readonly reader?: (reader: ReaderService) => ReaderService
  /** The files of assets as this engine sees them. */
  readonly files?: (files: FilesService) => FilesService
  /** What it can do with the processes of calls. Defaults to nothing. */
  readonly processes?: CallProcesses["Type"]
  /** Which part of the work is its own, where engines divide the work. */
  readonly shares?: Shares["Type"]
  /** What other processes tell it about their runs. */
  readonly mirrors?: Mirrors["Type"]
  /** The name of its host's clock. */
  readonly clock?: string
  /** Its host, if several hosts share the storage. Defaults to null. */
  readonly host?: string | null
  /** For how many milliseconds its process has been stopped so far. */
  readonly missed?: () => number
  /** Called each time that it checks whether another engine lives. */
  readonly onLook?: (instance: string) => void
}

/** Allows everything a moment later, so that no call starts together with the step that asks for it. */
export const considering: Permissions.Policy = () => Effect.as(Effect.yieldNow(), Permissions.allow)

/** Takes from an engine what it lacks while its process is stopped, except for writes that it was about to make. */
export const stopped = {
  storage: (storage: StorageService): StorageService => ({ ...storage, renew: () => Effect.never }),
  reader: (reader: ReaderService): ReaderService => ({ ...reader, heldRuns: () => Effect.never })
}

const engineId = (instance: string, host: string | null): EngineId => ({
  bootId: "b",
  pidNamespace: "n",
  pid: 1,
  startTime: "1",
  instance,
  host
})

/** A storage, and engines over it that live as long as the test unless they are closed. */
export const ground = Effect.gen(function* () {
  const lives = new Map<string, Liveness>()
  const base = yield* Layer.build(
    Layer.mergeAll(
      Layer.provideMerge(MemoryStorage.layer, EventSignals.layer),
      MemoryFiles.layer,
      SequentialIds.layer,
      NodeHashing.layer,
      ScriptedModel.layer
    ).pipe(Layer.provide(Quiescence.layer))
  )
  const open = Effect.fnUntraced(function* (instance: string, options: Options = {}) {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const clock = yield* Effect.clock
    const engines = Layer.succeed(Engines, {
      self: engineId(instance, options.host ?? null),
      sign: Effect.map(Clock.currentTimeNanos, (nanos) => ({
        clock: options.clock ?? "host",
        at: Number(nanos / 1_000_000n)
      })),
      elapsed: () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n) + (options.missed?.() ?? 0),
      liveness: (engine) =>
        Effect.sync(() => {
          options.onLook?.(engine.instance)
          return lives.get(engine.instance) ?? "alive"
        })
    })
    const seen = base.pipe(
      Context.add(Storage, (options.storage ?? identity)(Context.get(base, Storage))),
      Context.add(StorageReader, (options.reader ?? identity)(Context.get(base, StorageReader))),
      Context.add(AssetFiles, (options.files ?? identity)(Context.get(base, AssetFiles)))
    )
    const context = yield* Engine.layer.pipe(
      Layer.provide(Assets.layer),
      Layer.provide(
        options.agents ?? Agents.layer({ ...partsOf(options), models: options.models ?? ScriptedModel.models })
      ),
      Layer.provide(engines),
      Layer.provide(Layer.succeedContext(seen)),
      Layer.provide(options.processes === undefined ? Layer.empty : Layer.succeed(CallProcesses, options.processes)),
      Layer.provide(options.mirrors === undefined ? Layer.empty : Layer.succeed(Mirrors, options.mirrors)),
      Layer.provide(options.shares === undefined ? Layer.empty : Layer.succeed(Shares, options.shares)),
      Layer.provide(EngineConfig.layer({ drainMillis: 0, ...options.config })),
      Layer.fresh,
      Layer.buildWithScope(scope)
    )
    return {
      context,
      ...of(Context.get(context, Gateway.Gateway)),
      close: Scope.close(scope, Exit.void)
    }
  })
  return {
    open,
    model: Context.get(base, ScriptedModel.ScriptedModel),
    reader: Context.get(base, StorageReader),
    storage: Context.get(base, Storage),
    files: Context.get(base, AssetFiles),
    /** What other engines find out about this one from now on. */
    declare: (instance: string, liveness: Liveness) => Effect.sync(() => void lives.set(instance, liveness))
  }
})
