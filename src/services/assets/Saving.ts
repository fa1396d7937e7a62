/**
 * Saves an asset in five steps: (1) marker, (2) content under the marker, (3) file in its place, (4) row, (5) removal
 * of the marker. A save that is refused, fails or is interrupted at any step undoes its changes.
 *
 * Removing a session's folder also removes the markers. So a save whose session was deleted after (1) cannot end in a
 * later session with the same id. At (2) and (3) its folder is gone. If (4) stored the row in the later session, (5)
 * finds no marker, and the save removes row and file.
 *
 * A save that is interrupted at (4) checks whether the row exists, because a write that has begun completes. If that
 * cannot be determined, file and marker stay: the sweep after this engine's death decides by the row.
 */
import { Cause, Clock, Effect, Exit, Option, Ref, Stream } from "effect"
import { AssetId } from "../../domain/Asset.js"
import type { Asset } from "../../domain/Asset.js"
import * as AssetContent from "../../domain/AssetContent.js"
import type { Limits } from "../../domain/Limits.js"
import type { SessionId } from "../../domain/Session.js"
import { AssetFailed, InvalidInput, SessionNotFound } from "../../domain/SkeinError.js"
import type { Change } from "../../domain/SkeinError.js"
import type * as Hashing from "../Hashing.js"
import type * as Ids from "../Ids.js"
import type * as Engines from "../Engines.js"
import type * as Storage from "../storage/Storage.js"
import type * as AssetFiles from "./AssetFiles.js"
import type { FilesFailed, Upload } from "./AssetFiles.js"
import * as AssetNames from "./AssetNames.js"

/** A content to store. */
export interface NewAsset<E, R> {
  readonly sessionId: SessionId
  /** The caller's name for it, 1 to 255 characters. Never used as a path. */
  readonly name: string | null
  /** `type/subtype` in lower case, among those that the limits allow. */
  readonly mediaType: string
  /**
   * At most `assetBytes` of the limits. A PNG, JPEG, GIF or WebP must have a valid header.
   */
  readonly content: Stream.Stream<Uint8Array, E, R>
  /** Defaults to a new one. With the id and the content of a stored asset, `save` returns that asset. */
  readonly id?: AssetId
}

/** Bytes hashed and written at a time, so that a large piece does not block the event loop. */
const pieceBytes = 256 * 1024

const pieces = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes)
  )

/** Whether the row was stored, given how its write ended. */
type Knowledge = "stored" | "absent" | "unknown"

export const make = (services: {
  readonly files: AssetFiles.Service
  readonly reader: Storage.ReaderService
  readonly storage: Storage.Service
  readonly hashing: Hashing.Service
  readonly ids: Ids.Service
  readonly engines: Engines.Service
  readonly limits: Limits
}) => {
  const { files, hashing, ids, limits, engines, reader, storage } = services

  /** Undoes a save. The sweep removes what cannot be removed here. */
  const withdraw = (upload: Upload, asset: Asset | null) => {
    const { folder } = upload
    const unplace = asset === null ? Effect.void : files.remove({ folder, file: AssetNames.file(asset) })
    return Effect.forEach([unplace, files.end(upload), files.removeEmpty(folder)], Effect.ignoreLogged, {
      discard: true
    })
  }

  /** Translates a file's failure. If the session's folder is gone, the session may be gone too. */
  const explain = <A, R>(
    { id, sessionId }: Pick<Asset, "id" | "sessionId">,
    effect: Effect.Effect<A, FilesFailed, R>
  ) =>
    Effect.catchTag(
      effect,
      "FilesFailed",
      Effect.fnUntraced(function* ({ detail, missing }) {
        if (missing) yield* reader.session(sessionId)
        return yield* new AssetFailed({ sessionId, assetId: id, operation: "write", detail })
      })
    )

  /** Writes the content under the marker and returns its future row. */
  const receive = Effect.fnUntraced(function* <E, R>(
    upload: Upload,
    asset: Omit<Asset, "size" | "sha256">,
    content: Stream.Stream<Uint8Array, E, R>
  ) {
    const rules = { mediaType: asset.mediaType, limit: limits.assetBytes }
    const file = yield* explain(asset, files.create(upload))
    const taken = yield* Ref.make(AssetContent.nothing)
    const digest = yield* hashing.sha256
    const take = Effect.fnUntraced(function* (bytes: Uint8Array) {
      yield* Ref.set(taken, yield* AssetContent.take(rules, yield* Ref.get(taken), bytes))
      yield* digest.update(bytes)
      yield* explain(asset, file.append(bytes))
    })
    yield* content.pipe(Stream.mapConcat(pieces), Stream.runForEach(take))
    const size = yield* AssetContent.whole(rules, yield* Ref.get(taken))
    yield* explain(asset, file.sync)
    return { ...asset, size, sha256: yield* digest.hex }
  }, Effect.scoped)

  /** Returns the stored asset with the id. Refuses if its content differs. */
  const known = (asset: Asset) =>
    reader.asset(asset.sessionId, asset.id).pipe(
      Effect.filterOrFail(
        (stored) => stored.sha256 === asset.sha256 && stored.size === asset.size,
        () => new InvalidInput({ field: "id", limit: "not that of an asset with other content", actual: asset.id })
      ),
      Effect.asSome,
      Effect.catchTag("AssetNotFound", () => Effect.succeedNone)
    )

  const look = (asset: Asset): Effect.Effect<Knowledge> =>
    Effect.match(reader.asset(asset.sessionId, asset.id), {
      onSuccess: (stored) => (AssetNames.file(stored) === AssetNames.file(asset) ? "stored" : "absent"),
      onFailure: (error) => (error._tag === "AssetNotFound" ? "absent" : "unknown")
    })

  const knowledge = (asset: Asset, cause: Cause.Cause<Change>): Effect.Effect<Knowledge> => {
    if (Cause.isInterruptedOnly(cause)) return look(asset)
    const isRefused = Option.exists(Cause.failureOption(cause), (error) => error._tag !== "OutcomeUnknown")
    return Effect.succeed(isRefused ? "absent" : "unknown")
  }

  /** Moves the content to its place, or to the next one if another save of the same millisecond has that place. */
  const place = Effect.fnUntraced(function* (upload: Upload, received: Asset) {
    let asset = received
    while (!(yield* explain(asset, files.place(upload, AssetNames.file(asset))))) {
      asset = { ...asset, createdAt: asset.createdAt + 1 }
    }
    return asset
  })

  /** Returns the asset or undoes the save, after the row's write has ended. */
  const settle = Effect.fnUntraced(function* (
    upload: Upload,
    asset: Asset,
    exit: Exit.Exit<Asset, Change>,
    isIdGiven: boolean
  ) {
    if (Exit.isFailure(exit)) {
      const stored = yield* knowledge(asset, exit.cause)
      if (stored === "stored") yield* Effect.ignoreLogged(files.end(upload))
      if (stored === "absent") {
        yield* withdraw(upload, asset)
        // Another save with the same id may have been faster.
        const faster = isIdGiven ? yield* known(asset) : Option.none()
        if (Option.isSome(faster)) return faster.value
      }
      return yield* exit
    }
    const hadMarker = yield* Effect.orElseSucceed(files.end(upload), () => true)
    if (hadMarker) return exit.value
    yield* Effect.ignoreLogged(storage.deleteAsset(asset.sessionId, asset.id))
    yield* withdraw(upload, asset)
    return yield* new SessionNotFound({ sessionId: asset.sessionId })
  })

  return Effect.fn("Assets.save")(function* <E, R>(input: NewAsset<E, R>) {
    const { content, sessionId } = input
    const mediaType = yield* AssetContent.mediaType(input.mediaType, limits)
    const name = yield* AssetContent.name(input.name)
    yield* reader.session(sessionId)
    const id = input.id ?? AssetId.make(yield* ids.next("ast"))
    const upload: Upload = {
      folder: AssetNames.folder(sessionId),
      marker: AssetNames.marker(yield* ids.next("upl"), engines.self)
    }
    const draft = { id, sessionId, name, mediaType, createdAt: yield* Clock.currentTimeMillis }
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const asset = yield* explain(draft, files.begin(upload)).pipe(
          Effect.zipRight(restore(receive(upload, draft, content))),
          Effect.onError(() => withdraw(upload, null))
        )
        const stored = yield* input.id === undefined
          ? Effect.succeedNone
          : Effect.onError(known(asset), () => withdraw(upload, null))
        if (Option.isSome(stored)) {
          yield* withdraw(upload, null)
          return stored.value
        }
        const placed = yield* Effect.onError(place(upload, asset), () => withdraw(upload, null))
        const exit = yield* Effect.exit(restore(storage.saveAsset(placed)))
        return yield* settle(upload, placed, exit, input.id !== undefined)
      })
    )
  })
}
