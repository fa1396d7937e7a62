/**
 * Takes the files of a session that is being imported. A marker is in the session's folder from before the session has
 * a row until the session is shown. So a sweep leaves its files alone, and an engine that finds the hidden session
 * knows whether the engine that imports it may still be alive. A file is in its place, synced and with the announced
 * digest, before its row is stored.
 *
 * What is left by an import that fails, or whose engine dies, is removed with the hidden session.
 */
import { Effect, ExecutionStrategy, Exit, Ref, Scope } from "effect"
import type { Asset } from "../../domain/Asset.js"
import * as AssetContent from "../../domain/AssetContent.js"
import type { Limits } from "../../domain/Limits.js"
import type { SessionId } from "../../domain/Session.js"
import { AssetFailed, InvalidInput } from "../../domain/SkeinError.js"
import type * as Engines from "../Engines.js"
import type * as Hashing from "../Hashing.js"
import type * as Ids from "../Ids.js"
import type * as AssetFiles from "./AssetFiles.js"
import * as AssetNames from "./AssetNames.js"
import * as Markers from "./Markers.js"

/** A file that comes in pieces. */
export interface Arrival {
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, InvalidInput | AssetFailed>
  /**
   * Puts the whole file in its place. Fails with `InvalidInput` of `sha256` when the content is not what was announced.
   */
  readonly place: Effect.Effect<void, InvalidInput | AssetFailed>
}

/** The files of one session. */
export interface Arrivals {
  /** Begins a file; only one comes at a time. Fails with `InvalidInput` when such an asset is not accepted here. */
  readonly begin: (asset: Asset) => Effect.Effect<Arrival, InvalidInput | AssetFailed>
}

export const make = (services: {
  readonly files: AssetFiles.Service
  readonly hashing: Hashing.Service
  readonly ids: Ids.Service
  readonly engines: Engines.Service
  readonly limits: Limits
}) => {
  const { engines, files, hashing, ids, limits } = services

  const failed = (sessionId: SessionId, assetId: Asset["id"] | null) => (error: AssetFiles.FilesFailed) =>
    new AssetFailed({ sessionId, assetId, operation: "write", detail: error.detail })

  const begin = (upload: AssetFiles.Upload, scope: Scope.Scope) =>
    Effect.fnUntraced(function* (asset: Asset) {
      const explain = Effect.mapError(failed(asset.sessionId, asset.id))
      const rules = {
        mediaType: yield* AssetContent.mediaType(asset.mediaType, limits),
        limit: limits.assetBytes
      }
      yield* AssetContent.name(asset.name)
      const open = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const file = yield* explain(Scope.extend(files.create(upload), open))
      const digest = yield* hashing.sha256
      const taken = yield* Ref.make(AssetContent.nothing)
      const append = Effect.fnUntraced(function* (bytes: Uint8Array) {
        yield* Ref.set(taken, yield* AssetContent.take(rules, yield* Ref.get(taken), bytes))
        yield* digest.update(bytes)
        yield* explain(file.append(bytes))
      })
      const place = Effect.gen(function* () {
        yield* AssetContent.whole(rules, yield* Ref.get(taken))
        if ((yield* digest.hex) !== asset.sha256) {
          return yield* new InvalidInput({ field: "sha256", limit: "that of the content", actual: "another one" })
        }
        yield* explain(file.sync)
        yield* Scope.close(open, Exit.void)
        if (yield* explain(files.place(upload, AssetNames.file(asset)))) return
        const detail = "a file of this name is there"
        return yield* new AssetFailed({ sessionId: asset.sessionId, assetId: asset.id, operation: "write", detail })
      })
      return { append, place } satisfies Arrival
    })

  const receive = Effect.fn("Assets.receive")(function* (sessionId: SessionId) {
    const folder = AssetNames.folder(sessionId)
    const upload = { folder, marker: AssetNames.marker(yield* ids.next("imp"), engines.self) }
    const end = Effect.zipRight(Effect.ignoreLogged(files.end(upload)), Effect.ignoreLogged(files.removeEmpty(folder)))
    yield* Effect.acquireRelease(Effect.mapError(files.begin(upload), failed(sessionId, null)), () => end)
    const scope = yield* Effect.scope
    return { begin: begin(upload, scope) } satisfies Arrivals
  })

  const isReceiving = Effect.fnUntraced(
    function* (sessionId: SessionId) {
      const folder = AssetNames.folder(sessionId)
      const markers = (yield* files.entries(folder)).filter(AssetNames.isImport)
      return yield* Effect.exists(markers, (marker) =>
        Effect.negate(Markers.isOver(files, engines, { folder, marker }))
      )
    },
    (effect, sessionId) =>
      Effect.mapError(effect, ({ detail }) => new AssetFailed({ sessionId, assetId: null, operation: "read", detail }))
  )

  return { receive, isReceiving }
}
