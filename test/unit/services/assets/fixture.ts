/** Shared by the tests of assets: a disk that can be stopped, made to fail and watched at every step of a save. */
import { NodeContext } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Ref, Stream } from "effect"
import type { Scope } from "effect"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as AssetTable from "../../../../src/adapters/postgres/AssetTable.js"
import { AssetId } from "../../../../src/domain/Asset.js"
import type { EngineId } from "../../../../src/domain/Lease.js"
import type { Liveness } from "../../../../src/domain/Liveness.js"
import type { Limits } from "../../../../src/domain/Limits.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { RowDamaged } from "../../../../src/domain/SkeinError.js"
import type { Change } from "../../../../src/domain/SkeinError.js"
import * as AssetFiles from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryFiles from "../../../../src/services/assets/MemoryFiles.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import { Engines } from "../../../../src/services/Engines.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import * as S3Server from "../../../support/s3/S3Server.js"
import { bucket, bucketAt } from "../../../support/s3/TestBucket.js"
import * as SequentialIds from "../../../support/SequentialIds.js"
import * as NewSession from "../../../support/NewSession.js"
import { emptyAssets } from "../../adapters/postgres/storage.js"

/** The steps of a save, in order. */
const steps = ["begin", "create", "append", "sync", "place", "row", "end"] as const
type Step = (typeof steps)[number]

/** The steps of a save, and of reading, removing and sweeping. */
export type Moment = `${"before" | "after"} ${Step | "read" | "deleteRow" | "remove" | "entries" | "rows"}`

/** All moments at which a save can be stopped. */
export const moments = steps.flatMap((step) => [`before ${step}`, `after ${step}`] as const)

type Hook = Effect.Effect<void, AssetFiles.FilesFailed | Change>

/** Runs an effect at a moment, and reports which steps were taken. */
export class Probe extends Context.Tag("test/Probe")<
  Probe,
  {
    readonly at: (moment: Moment, hook: Hook) => Effect.Effect<void>
    /** Forgets the effects that were to run. */
    readonly reset: Effect.Effect<void>
    readonly steps: Effect.Effect<ReadonlyArray<string>>
    /** Declares an engine dead or unknown; all others live. */
    readonly declare: (instance: string, liveness: Liveness) => Effect.Effect<void>
    /** Makes the rows of a session's assets unreadable. */
    readonly damage: (sessionId: SessionId) => Effect.Effect<void>
    /** The size of each piece that was written, in bytes. */
    readonly written: Effect.Effect<ReadonlyArray<number>>
    /** Makes all markers `millis` milliseconds old. */
    readonly age: (millis: number) => Effect.Effect<void>
  }
>() {}

export const self: EngineId = {
  bootId: "boot",
  pidNamespace: "ns",
  pid: 1,
  startTime: "10",
  instance: "self",
  host: null
}
export const other: EngineId = { ...self, pid: 2, instance: "other" }

export const s1 = SessionId.make("s1")
export const s2 = SessionId.make("s2")
export const a1 = AssetId.make("a1")

const isFilesFailed = (error: unknown): error is AssetFiles.FilesFailed => error instanceof AssetFiles.FilesFailed

const probed = Layer.scopedContext(
  Effect.gen(function* () {
    const files = yield* AssetFiles.AssetFiles
    const storage = yield* Storage
    const reader = yield* StorageReader
    const damaged = yield* Ref.make<SessionId | null>(null)
    const hooks = yield* Ref.make<ReadonlyMap<string, Hook>>(new Map())
    const liveness = yield* Ref.make<ReadonlyMap<string, Liveness>>(new Map())
    const taken = yield* Ref.make<ReadonlyArray<string>>([])
    const written = yield* Ref.make<ReadonlyArray<number>>([])
    const aged = yield* Ref.make(0)

    const hook = (moment: Moment) =>
      Effect.flatMap(
        Ref.modify(hooks, (all) => [
          all.get(moment) ?? Effect.void,
          new Map([...all].filter(([key]) => key !== moment))
        ]),
        (hook) => hook
      )
    const step = <A, E, R>(step: Step | "deleteRow" | "remove", effect: Effect.Effect<A, E, R>) =>
      hook(`before ${step}`).pipe(
        Effect.zipRight(effect),
        Effect.zipLeft(Ref.update(taken, (steps) => [...steps, step])),
        Effect.zipLeft(hook(`after ${step}`))
      )
    const fileStep = <A, R>(name: Step | "remove", effect: Effect.Effect<A, AssetFiles.FilesFailed, R>) =>
      step(name, effect).pipe(Effect.catchIf((error) => !isFilesFailed(error), Effect.die))
    const rowStep = <A, E>(name: "row" | "deleteRow", effect: Effect.Effect<A, E>) =>
      step(name, effect).pipe(Effect.catchIf(isFilesFailed, Effect.die))

    return Context.make(AssetFiles.AssetFiles, {
      ...files,
      begin: (upload) => fileStep("begin", files.begin(upload)),
      create: (upload) =>
        Effect.map(fileStep("create", files.create(upload)), (content) => ({
          append: (bytes: Uint8Array) =>
            Effect.zipLeft(
              fileStep("append", content.append(bytes)),
              Ref.update(written, (sizes) => [...sizes, bytes.length])
            ),
          sync: fileStep("sync", content.sync)
        })),
      place: (upload, file) => fileStep("place", files.place(upload, file)),
      end: (upload) => fileStep("end", files.end(upload)),
      age: (upload) => Effect.zipWith(files.age(upload), Ref.get(aged), (real, added) => real + added),
      remove: (place) => fileStep("remove", files.remove(place)),
      entries: (folder) => Effect.zipLeft(files.entries(folder), Effect.orDie(hook("after entries"))),
      read: (place, range) => Stream.unwrap(Effect.as(Effect.orDie(hook("before read")), files.read(place, range)))
    }).pipe(
      Context.add(Storage, {
        ...storage,
        saveAsset: (asset) => rowStep("row", storage.saveAsset(asset)),
        deleteAsset: (sessionId, assetId) => rowStep("deleteRow", storage.deleteAsset(sessionId, assetId))
      }),
      Context.add(StorageReader, {
        ...reader,
        assets: (sessionId) =>
          Effect.flatMap(Ref.get(damaged), (damaged) =>
            damaged === sessionId ? new RowDamaged({ sessionId, seq: null, detail: "" }) : reader.assets(sessionId)
          ).pipe(Effect.zipLeft(Effect.orDie(hook("after rows"))))
      }),
      Context.add(Engines, {
        self,
        sign: Effect.succeed({ clock: "host", at: 0 }),
        elapsed: () => 0,
        liveness: ({ instance }) => Effect.map(Ref.get(liveness), (all) => all.get(instance) ?? "alive")
      }),
      Context.add(Probe, {
        at: (moment, hook) => Ref.update(hooks, (all) => new Map([...all, [moment, hook]])),
        reset: Ref.set(hooks, new Map()),
        steps: Ref.get(taken),
        written: Ref.get(written),
        age: (millis) => Ref.set(aged, millis),
        damage: (sessionId) => Ref.set(damaged, sessionId),
        declare: (instance, known) => Ref.update(liveness, (all) => new Map([...all, [instance, known]]))
      })
    )
  })
)

type Tested = Assets.Assets | AssetFiles.AssetFiles | Storage | StorageReader | Engines | Probe

const storage = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

const over = <E, R>(files: Layer.Layer<AssetFiles.AssetFiles, E, R>, limits: Partial<Limits>) =>
  Assets.layer.pipe(
    Layer.provideMerge(probed),
    Layer.provideMerge(Layer.mergeAll(files, storage)),
    Layer.provide([NodeHashing.layer, SequentialIds.layer, EngineConfig.layer({ limits })]),
    Layer.fresh
  )

/** A data directory of the test's own. */
export const temporary = Layer.scoped(
  DataDirectory,
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "skein-assets-" }))
)

/** The files on disk, with the folder that they are in. */
export const onDisk = AssetFiles.layer.pipe(
  Layer.provide(NodeFolders.layer),
  Layer.provideMerge(temporary),
  Layer.provideMerge(NodeContext.layer)
)

export type Test = <E>(
  name: string,
  body: () => Effect.Effect<void, E, Tested | Scope.Scope>,
  limits?: Partial<Limits>
) => void

/** A bucket of the test's own on a strict server. */
const inBucket = Layer.unwrapScoped(
  Effect.map(S3Server.make({ ...bucket, pageSize: 25 }), ({ endpoint }) => bucketAt(endpoint))
)

/** Each test runs over all drivers, and gets a new, empty driver with a session `s1`. */
export const drivers: ReadonlyArray<readonly [name: string, test: Test]> = [
  [
    "in memory",
    (name, body, limits = {}) =>
      it.scoped(name, () => Effect.provide(Effect.zipRight(create(s1), body()), over(MemoryFiles.layer, limits)))
  ],
  [
    "on disk",
    (name, body, limits = {}) =>
      it.scoped(name, () => Effect.provide(Effect.zipRight(create(s1), body()), over(onDisk, limits)))
  ],
  [
    "in a bucket",
    (name, body, limits = {}) =>
      it.scoped(name, () => Effect.provide(Effect.zipRight(create(s1), body()), over(inBucket, limits)))
  ]
]

const inTable = Layer.unwrapEffect(Effect.map(emptyAssets, AssetTable.layer))

/** The same in PostgreSQL, for a group of tests that has a server. */
export const inDatabase: Test = (name, body, limits = {}) =>
  it.scoped(name, () => Effect.provide(Effect.zipRight(create(s1), body()), over(inTable, limits)))

export const create = (id: SessionId) =>
  Effect.flatMap(Storage, (storage) =>
    storage.createSession({ ...NewSession.bare(id), title: "Title", workdir: "/home/me" })
  )

/** The steps of a deletion once its session is hidden. */
export const finishDelete = (id: SessionId) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* (yield* Assets.Assets).removeFolder(id)
    yield* Effect.repeat(storage.purge(id), { until: (removed) => removed === 0 })
    yield* storage.forget(id)
  })

/** Deletes a session and its files. */
export const destroy = (id: SessionId) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* storage.beginDelete(id)
    yield* storage.hide(id)
    yield* finishDelete(id)
  })

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Writes a text under a marker, as a save does. */
export const write = (files: AssetFiles.Service, upload: AssetFiles.Upload, content: string) =>
  Effect.scoped(
    Effect.flatMap(files.create(upload), ({ append, sync }) => Effect.zipRight(append(bytes(content)), sync))
  )

/** Saves a text in two pieces. */
export const save = (
  fields: { readonly sessionId?: SessionId; readonly content?: string; readonly id?: AssetId } = {}
) => {
  const content = fields.content ?? "content"
  return Effect.flatMap(Assets.Assets, (assets) =>
    assets.save({
      sessionId: fields.sessionId ?? s1,
      name: "notes.txt",
      mediaType: "text/plain",
      content: Stream.make(bytes(content.slice(0, 3)), bytes(content.slice(3))),
      ...(fields.id === undefined ? {} : { id: fields.id })
    })
  )
}

/** Everything on the disk: the names in each folder, with markers as "marker". */
export const contents = Effect.gen(function* () {
  const files = yield* AssetFiles.AssetFiles
  const folders = yield* files.folders
  const entries = yield* Effect.forEach(folders, (folder) => files.entries(folder))
  return Object.fromEntries(
    folders.map((folder, index) => [
      folder,
      (entries[index] ?? []).map((name) => (name.startsWith(".upl") ? "marker" : name)).sort()
    ])
  )
})

/** Stops a save at a moment: at the first of its kind, or at the second. */
export const stopAt = (moment: Moment, turn: "first" | "second" = "first") =>
  Effect.gen(function* () {
    const probe = yield* Probe
    const reached = yield* Deferred.make<void>()
    const released = yield* Deferred.make<void>()
    const wait = Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(released))
    yield* probe.at(moment, turn === "first" ? wait : probe.at(moment, wait))
    return { reached: Deferred.await(reached), release: Deferred.succeed(released, undefined) }
  })

/** Interrupts a fiber that waits at a moment, then releases it. */
export const interruptAt = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  gate: { readonly release: Effect.Effect<boolean> }
) =>
  Effect.gen(function* () {
    yield* Fiber.interruptFork(fiber)
    yield* gate.release
    return yield* Fiber.await(fiber)
  })

/** What a refused operation failed with, as plain data. */
export const refused = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.flip,
    Effect.map((error) => ({ ...error }))
  )

export const assetsOf = (id: SessionId) => Effect.flatMap(StorageReader, (reader) => reader.assets(id))
