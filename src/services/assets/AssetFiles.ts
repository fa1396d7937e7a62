/**
 * The files of assets: what `Assets` needs of a disk. Each session has a folder of placed files; a save in progress has
 * a marker there, with the content beneath it until it is placed.
 *
 * `layer` keeps them in `assets` below the data directory, folders 0700 and files 0600 from the moment they exist.
 *
 * An operation that changes something is not interruptible: its system call would go on regardless, and a clean-up
 * would come too early, and a write could reach another file that was given the number of the closed one.
 */
import { FileSystem, Path } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { DataDirectory } from "../DataDirectory.js"
import { Folders } from "../Folders.js"

/** A file operation failed. `missing`: what it works on is not there. */
export class FilesFailed extends Schema.TaggedError<FilesFailed>()("FilesFailed", {
  missing: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** One save's place: the session's folder and the marker in it. */
export interface Upload {
  readonly folder: string
  readonly marker: string
}

/** A file that is being written. */
interface Content {
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, FilesFailed>
  /** Makes what was appended survive a power cut. */
  readonly sync: Effect.Effect<void, FilesFailed>
}

interface AssetFile {
  readonly folder: string
  readonly file: string
}

export interface Service {
  /** Creates the marker, and the folder if need be. */
  readonly begin: (upload: Upload) => Effect.Effect<void, FilesFailed>
  /** Creates the file for the content, under the marker; it is closed with the scope. */
  readonly create: (upload: Upload) => Effect.Effect<Content, FilesFailed, Scope.Scope>
  /**
   * Moves a synced and closed content to its place, for good: it is there after a power cut. The marker stays. False
   * when the place is taken. When it fails, nothing is left at the place.
   */
  readonly place: (upload: Upload, file: string) => Effect.Effect<boolean, FilesFailed>
  /** Removes the marker and what lies under it. False when it was gone. */
  readonly end: (upload: Upload) => Effect.Effect<boolean, FilesFailed>
  /** At most `length` bytes from byte `offset` on; fewer only when the file is shorter. */
  readonly read: (
    place: AssetFile,
    range: { readonly offset: number; readonly length: number }
  ) => Stream.Stream<Uint8Array, FilesFailed>
  /** Removes a file, or whatever has its name, a marker too. False when it was gone. */
  readonly remove: (place: AssetFile) => Effect.Effect<boolean, FilesFailed>
  /** Removes a folder that has nothing in it. */
  readonly removeEmpty: (folder: string) => Effect.Effect<void, FilesFailed>
  /** Names of all folders, and what else lies among them. */
  readonly folders: Effect.Effect<ReadonlyArray<string>, FilesFailed>
  /** Names of a folder's files and markers; none when there is no such folder. */
  readonly entries: (folder: string) => Effect.Effect<ReadonlyArray<string>, FilesFailed>
}

export class AssetFiles extends Context.Tag("skein/AssetFiles")<AssetFiles, Service>() {}

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"
const isTaken = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "AlreadyExists"

/** The system's words, without the path that it adds to them. */
const failed = (error: PlatformError): FilesFailed =>
  new FilesFailed({
    missing: isMissing(error),
    detail:
      /^[A-Z0-9]+: [^,]*/.exec(error.description ?? "")?.[0] ??
      (error._tag === "SystemError" ? error.reason : "not accepted by the file system")
  })

/**
 * Bytes after which a file is synced while it is written. A commit's sync waits for whatever the system still has to
 * write of other files: of a large asset that is never more than this.
 */
const unsyncedBytes = 1024 * 1024

const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folders = yield* Folders
  const data = yield* DataDirectory
  const root = path.join(data, "assets")
  const markerOf = ({ folder, marker }: Upload) => path.join(root, folder, marker)
  const contentOf = (upload: Upload) => path.join(markerOf(upload), "content")
  const placeOf = ({ folder, file }: AssetFile) => path.join(root, folder, file)

  /** A system call goes on when its fiber is interrupted, so no change is. */
  const change = <A>(effect: Effect.Effect<A, PlatformError>) => Effect.uninterruptible(Effect.mapError(effect, failed))

  const removeIfThere = (target: string) =>
    fs.remove(target, { recursive: true }).pipe(
      Effect.as(true),
      Effect.catchIf(isMissing, () => Effect.succeed(false))
    )
  const names = (target: string) =>
    fs.readDirectory(target).pipe(
      // A file where a folder was expected has no entries either.
      Effect.catchIf(
        (error) => isMissing(error) || (error._tag === "SystemError" && error.reason === "BadResource"),
        () => Effect.succeed([])
      ),
      Effect.mapError(failed)
    )

  // One folder at a time: a recursive one fails with ENOTDIR when another save removes the empty folder meanwhile.
  const begin = Effect.fnUntraced(
    function* (upload: Upload) {
      yield* fs.makeDirectory(root, { recursive: true, mode: 0o700 })
      yield* fs
        .makeDirectory(path.join(root, upload.folder), { mode: 0o700 })
        .pipe(Effect.catchIf(isTaken, () => Effect.void))
      yield* fs.makeDirectory(markerOf(upload), { mode: 0o700 })
    },
    Effect.retry({ while: isMissing, times: 20 })
  )

  // An empty file holds the place: a rename alone would replace whatever is there.
  const place = Effect.fnUntraced(function* (upload: Upload, target: string) {
    const isHeld = yield* Effect.scoped(fs.open(target, { flag: "wx", mode: 0o600 })).pipe(
      Effect.as(true),
      Effect.catchIf(isTaken, () => Effect.succeed(false))
    )
    if (!isHeld) return false
    yield* fs.rename(contentOf(upload), target).pipe(
      Effect.zipRight(Effect.forEach([path.join(root, upload.folder), root, data], folders.sync, { discard: true })),
      Effect.onError(() => Effect.ignoreLogged(removeIfThere(target)))
    )
    return true
  })

  const service: Service = {
    begin: (upload) => change(begin(upload)),
    create: (upload) =>
      fs.open(contentOf(upload), { flag: "wx", mode: 0o600 }).pipe(
        Effect.map((file) => {
          let unsynced = 0
          const append = Effect.fnUntraced(function* (bytes: Uint8Array) {
            yield* file.writeAll(bytes)
            unsynced += bytes.length
            if (unsynced < unsyncedBytes) return
            yield* file.sync
            unsynced = 0
          })
          return { append: (bytes: Uint8Array) => change(append(bytes)), sync: change(file.sync) }
        }),
        Effect.mapError(failed)
      ),
    place: (upload, file) => change(place(upload, placeOf({ folder: upload.folder, file }))),
    end: (upload) => change(removeIfThere(markerOf(upload))),
    read: (place, { offset, length }) =>
      fs.stream(placeOf(place), { offset, bytesToRead: length }).pipe(Stream.mapError(failed)),
    remove: (place) => change(removeIfThere(placeOf(place))),
    removeEmpty: (folder) => change(folders.removeEmpty(path.join(root, folder))),
    folders: names(root),
    entries: (folder) => names(path.join(root, folder))
  }
  return service
})

export const layer: Layer.Layer<AssetFiles, never, FileSystem.FileSystem | Path.Path | Folders | DataDirectory> =
  Layer.effect(AssetFiles, make)
