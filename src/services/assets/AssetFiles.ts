/**
 * The files of assets: the operations that `Assets` needs from a disk, or from its substitute. Each session has a
 * folder of placed files. A save in progress has a marker in it, with the content beneath until it is placed.
 *
 * `layer` stores them in `assets` in the data directory: folders with mode 0700 and files with 0600 from the start.
 *
 * Operations that change something are not interruptible. Their system call would continue regardless: the clean-up
 * would come too early, and a write could reach another file that reuses the closed file's number.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { PlatformError } from "@effect/platform/Error"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { DataDirectory } from "../DataDirectory.js"
import { Folders } from "../Folders.js"
import * as AssetNames from "./AssetNames.js"

/** A file operation failed. `missing`: its file or folder does not exist. */
export class FilesFailed extends Schema.TaggedError<FilesFailed>()("FilesFailed", {
  missing: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** One save: the session's folder and the marker in it. */
export interface Upload {
  readonly folder: string
  readonly marker: string
}

/** A file that is being written. */
interface Content {
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, FilesFailed>
  /** Ends the content: makes the appended bytes survive a power cut. */
  readonly sync: Effect.Effect<void, FilesFailed>
}

interface AssetFile {
  readonly folder: string
  readonly file: string
}

export interface Service {
  /** The most bytes that a content may have. The caller must keep to it. */
  readonly mostBytes: number
  /** Creates the marker, and the folder if it is missing. */
  readonly begin: (upload: Upload) => Effect.Effect<void, FilesFailed>
  /** Creates the file for the content under the marker. The scope closes it. */
  readonly create: (upload: Upload) => Effect.Effect<Content, FilesFailed, Scope.Scope>
  /**
   * Moves a synced and closed content to its place, durably. The marker stays. Returns false if the place is taken. A
   * failure leaves nothing at the place.
   */
  readonly place: (upload: Upload, file: string) => Effect.Effect<boolean, FilesFailed>
  /** Removes the marker and its content. Returns false if it was gone. */
  readonly end: (upload: Upload) => Effect.Effect<boolean, FilesFailed>
  /**
   * Milliseconds since the marker was begun, or something was last placed or created under it, by the store's own
   * clock, because the clocks of hosts may differ. 0 if the marker is gone.
   */
  readonly age: (upload: Upload) => Effect.Effect<number, FilesFailed>
  /** Returns at most `length` bytes from byte `offset` on; fewer only if the file is shorter. */
  readonly read: (
    place: AssetFile,
    range: { readonly offset: number; readonly length: number }
  ) => Stream.Stream<Uint8Array, FilesFailed>
  /** Removes a file, or anything else with its name, such as a marker. Returns false if it was gone. */
  readonly remove: (place: AssetFile) => Effect.Effect<boolean, FilesFailed>
  /** Removes an empty folder. */
  readonly removeEmpty: (folder: string) => Effect.Effect<void, FilesFailed>
  /** Names of all folders, and of anything else next to them. */
  readonly folders: Effect.Effect<ReadonlyArray<string>, FilesFailed>
  /** Names of a folder's files and markers; empty if the folder does not exist. */
  readonly entries: (folder: string) => Effect.Effect<ReadonlyArray<string>, FilesFailed>
}

export class AssetFiles extends Context.Tag("skein/AssetFiles")<AssetFiles, Service>() {}

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"
const isTaken = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "AlreadyExists"

/** The system's message, without the path. */
const failed = (error: PlatformError): FilesFailed =>
  new FilesFailed({
    missing: isMissing(error),
    detail:
      /^[A-Z0-9]+: [^,]*/.exec(error.description ?? "")?.[0] ??
      (error._tag === "SystemError" ? error.reason : "not accepted by the file system")
  })

/**
 * Bytes after which a file is synced while it is written. A commit's sync also waits for unwritten data of other files;
 * this bounds the share of a large asset.
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

  /** A system call continues after its fiber is interrupted, so changes are not interruptible. */
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

  // One folder at a time: recursive creation fails with ENOTDIR if another save removes the empty folder meanwhile.
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

  // An empty file reserves the place: a rename alone would replace an existing file.
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

  /** When a file or folder was changed last; null if there is none. */
  const changedAt = (target: string) =>
    fs.stat(target).pipe(
      Effect.map(({ mtime }) => Option.getOrNull(Option.map(mtime, (time) => time.getTime()))),
      Effect.catchIf(isMissing, () => Effect.succeed(null))
    )

  /** The disk may belong to another host: a folder that is made on it now shows its time. */
  const age = Effect.fnUntraced(function* (upload: Upload) {
    const begun = yield* changedAt(markerOf(upload))
    if (begun === null) return 0
    const written = yield* changedAt(contentOf(upload))
    const now = yield* Effect.acquireUseRelease(
      fs.makeTempDirectory({ directory: root, prefix: AssetNames.clockPrefix }),
      changedAt,
      // Another process's sweep may have removed it already.
      (clock) => Effect.ignore(fs.remove(clock, { recursive: true, force: true }))
    )
    return now === null ? 0 : Math.max(0, now - Math.max(begun, written ?? begun))
  })

  const service: Service = {
    mostBytes: Number.POSITIVE_INFINITY,
    age: (upload) => change(age(upload)),
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
