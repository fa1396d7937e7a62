/**
 * Assets: files that belong to sessions, kept next to the database and named by id in messages.
 *
 * Guaranteed:
 * - The whole content is on disk and synced before the asset's row is committed.
 * - No file is touched while the write permit is held.
 * - A save never has more than the limit on disk.
 * - A save that is refused, fails or is interrupted leaves no content, and no folder if the session has no other files.
 * - `sweep` removes what a killed process leaves behind.
 *
 * Not guaranteed: that the content on disk stays unchanged. A missing or shortened file is reported, and a changed file
 * when all of it is read.
 */
import { Cause, Context, Effect, Exit, Layer } from "effect"
import type { Scope, Stream } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import type { Limits } from "../../domain/Limits.js"
import type { SessionId } from "../../domain/Session.js"
import { AssetFailed } from "../../domain/SkeinError.js"
import type { AssetNotFound, Change, InvalidInput, Read } from "../../domain/SkeinError.js"
import { AssetFiles } from "./AssetFiles.js"
import type { FilesFailed } from "./AssetFiles.js"
import * as AssetNames from "./AssetNames.js"
import * as Arriving from "./Arriving.js"
import * as Reading from "./Reading.js"
import * as Saving from "./Saving.js"
import * as Sweep from "./Sweep.js"
import { EngineConfig } from "../EngineConfig.js"
import { Hashing } from "../Hashing.js"
import { Ids } from "../Ids.js"
import { Engines } from "../Engines.js"
import { Storage, StorageReader } from "../storage/Storage.js"

export interface Service {
  /** The engine's limits, with the bytes that one asset may have where it is stored. */
  readonly limits: Limits
  /**
   * Stores a content. `InvalidInput` names `mediaType`, `name`, `content` or `id`. The content's errors pass through.
   */
  readonly save: <E, R>(asset: Saving.NewAsset<E, R>) => Effect.Effect<Asset, Change | AssetFailed | E, R>
  /** Returns the content, or a part of it, in pieces. `InvalidInput` names `offset` or `length`. */
  readonly open: (range: Reading.Range) => Stream.Stream<Uint8Array, AssetNotFound | AssetFailed | InvalidInput | Read>
  /** Returns the whole content, or only its first `most` bytes. */
  readonly bytes: (
    sessionId: SessionId,
    assetId: AssetId,
    most?: number
  ) => Effect.Effect<Uint8Array, AssetNotFound | AssetFailed | Read>
  /** Removes row and file. After `AssetFailed` the row is gone, and the sweep removes the file. */
  readonly remove: (
    sessionId: SessionId,
    assetId: AssetId
  ) => Effect.Effect<Asset, Change | AssetNotFound | AssetFailed>
  /** Takes the files of a session that is being imported, until the scope ends. No other engine removes them meanwhile. */
  readonly receive: (sessionId: SessionId) => Effect.Effect<Arriving.Arrivals, AssetFailed, Scope.Scope>
  /** Whether a session is being imported, by an engine that is not proven dead. */
  readonly isReceiving: (sessionId: SessionId) => Effect.Effect<boolean, AssetFailed>
  /** Removes all files of a missing or hidden session, including unfinished saves. Does nothing for other sessions. */
  readonly removeFolder: (sessionId: SessionId) => Effect.Effect<void, AssetFailed | Read>
  /** Removes the remains of dead engines: unfinished saves, files without a row, folders of deleted sessions. */
  readonly sweep: Effect.Effect<Sweep.SweepResult, AssetFailed | Read>
}

export class Assets extends Context.Tag("skein/Assets")<Assets, Service>() {}

const make = Effect.gen(function* () {
  const files = yield* AssetFiles
  const reader = yield* StorageReader
  const storage = yield* Storage
  const engines = yield* Engines
  const config = yield* EngineConfig
  const limits = { ...config.limits, assetBytes: Math.min(config.limits.assetBytes, files.mostBytes) }
  const hashing = yield* Hashing
  const ids = yield* Ids
  const save = Saving.make({ files, reader, storage, hashing, ids, engines, limits })
  const arriving = Arriving.make({ files, hashing, ids, engines, limits })

  const drop = Effect.fnUntraced(function* (asset: Asset) {
    const folder = AssetNames.folder(asset.sessionId)
    yield* files.remove({ folder, file: AssetNames.file(asset) })
    yield* files.removeEmpty(folder)
  })

  const failed = (sessionId: SessionId | null, assetId: AssetId | null) => (error: FilesFailed) =>
    new AssetFailed({ sessionId, assetId, operation: "delete", detail: error.detail })

  const remove = Effect.fn("Assets.remove")(function* (sessionId: SessionId, assetId: AssetId) {
    const before = yield* reader.asset(sessionId, assetId)
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const exit = yield* Effect.exit(restore(storage.deleteAsset(sessionId, assetId)))
        if (Exit.isSuccess(exit)) {
          yield* Effect.mapError(drop(exit.value), failed(sessionId, assetId))
        } else if (Cause.isInterruptedOnly(exit.cause)) {
          // A write that has begun completes even if its caller is gone.
          yield* reader.asset(sessionId, assetId).pipe(
            Effect.catchTag("AssetNotFound", () => drop(before)),
            Effect.ignoreLogged
          )
        }
        return yield* exit
      })
    )
  })

  // By name, and the session is looked up after the names: files of a new session with that id are not among them.
  const removeFolder = Effect.fn("Assets.removeFolder")(function* (sessionId: SessionId) {
    const folder = AssetNames.folder(sessionId)
    const removal = Effect.gen(function* () {
      const names = yield* files.entries(folder)
      const isGone = yield* Effect.as(reader.session(sessionId), false).pipe(
        Effect.catchTag("SessionNotFound", () => Effect.succeed(true))
      )
      if (!isGone) return
      yield* Effect.forEach(names, (name) => files.remove({ folder, file: name }), { discard: true })
      yield* files.removeEmpty(folder)
    })
    yield* Effect.catchTag(removal, "FilesFailed", (error) => failed(sessionId, null)(error))
  })

  const sweep = Sweep.make(files, reader, engines).pipe(
    Effect.catchTag("FilesFailed", (error) => failed(null, null)(error)),
    Effect.withSpan("Assets.sweep")
  )

  return { limits, save, ...arriving, ...Reading.make(files, reader, hashing, config), remove, removeFolder, sweep }
})

export const layer: Layer.Layer<Assets, never, AssetFiles | StorageReader | Storage | Hashing | Ids | Engines> =
  Layer.effect(Assets, make)
