/**
 * Removes what saves and deletions leave on disk when their process dies: unfinished saves, files without a row,
 * folders of deleted sessions. Idempotent, and safe in several processes at the same time.
 *
 * A save creates, in this order: marker, content under the marker, file in its place, row; then it removes the marker.
 * So:
 * 1. A marker is removed only if its save is over: see `Markers`.
 * 2. A file is removed only if it has no row and no living save can still store one.
 *
 * For (2) the sweep reads first the files, then the markers, then the rows. A file that it sees had its marker before.
 * If the marker is gone afterwards, the save has ended, and its row is committed or never will be. The rows are read
 * last. A folder with the marker of a save that may go on keeps all its files until a later sweep. Names that are not
 * Skein's are left alone.
 */
import { Array as Arr, Effect, Option } from "effect"
import type { SessionId } from "../../domain/Session.js"
import type { Read, RowDamaged } from "../../domain/SkeinError.js"
import type * as Engines from "../Engines.js"
import type { ReaderService } from "../storage/Storage.js"
import type * as AssetFiles from "./AssetFiles.js"
import * as AssetNames from "./AssetNames.js"
import * as Markers from "./Markers.js"

/** The number of things that a sweep removed. */
export interface SweepResult {
  /** Unfinished saves of dead engines. */
  readonly uploads: number
  /** Files without a row. */
  readonly files: number
}

const nothing: SweepResult = { uploads: 0, files: 0 }

const sum = (a: SweepResult, b: SweepResult): SweepResult => ({
  uploads: a.uploads + b.uploads,
  files: a.files + b.files
})

export const make = (files: AssetFiles.Service, reader: ReaderService, engines: Engines.Service) => {
  /** Names of the files that have a row. */
  const wanted = (sessionId: SessionId): Effect.Effect<ReadonlySet<string>, Read> =>
    reader.assets(sessionId).pipe(
      Effect.map((assets) => new Set(assets.map(AssetNames.file))),
      Effect.catchTag("SessionNotFound", () => Effect.succeed(new Set<string>()))
    )

  const sweepFolder = (folder: string, sessionId: SessionId) =>
    Effect.gen(function* () {
      const placed = (yield* files.entries(folder)).filter(AssetNames.isFile)
      const markers = (yield* files.entries(folder)).filter(AssetNames.isMarker)
      const over = yield* Effect.filter(markers, (marker) => Markers.isOver(files, engines, { folder, marker }))
      const ended = yield* Effect.forEach(over, (marker) => files.end({ folder, marker }))
      const rows = over.length === markers.length && placed.length > 0 ? yield* wanted(sessionId) : new Set(placed)
      const removed = yield* Effect.forEach(
        placed.filter((file) => !rows.has(file)),
        (file) => files.remove({ folder, file })
      )
      yield* files.removeEmpty(folder)
      return { uploads: ended.filter(Boolean).length, files: removed.filter(Boolean).length }
    })

  /** A row that cannot be read may belong to any of the files, so all of them stay. */
  const leave = (_: RowDamaged) => Effect.succeed(nothing)

  return Effect.gen(function* () {
    const swept = yield* Effect.forEach(yield* files.folders, (folder) =>
      Option.match(AssetNames.sessionOf(folder), {
        onNone: () => Effect.as(AssetNames.isClock(folder) ? files.removeEmpty(folder) : Effect.void, nothing),
        onSome: (sessionId) => Effect.catchTag(sweepFolder(folder, sessionId), "RowDamaged", leave)
      })
    )
    return Arr.reduce(swept, nothing, sum)
  })
}
