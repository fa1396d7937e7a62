/**
 * Removes what saves and deletions left on disk when their process died: content of unfinished saves, files without a
 * row, folders of sessions that are gone. Doing it again, or in two processes at once, comes to the same.
 *
 * A save leaves these, one after the other: marker; content under the marker; file in its place; row; no marker. So
 * (1) a marker goes only when its engine is proven dead, and (2) a file goes only when it has no row and no living save
 * could be about to give it one. For (2) the order of looking matters: first the files, then the markers, then the rows.
 * A file that was seen first had its marker before; a marker that is not seen afterwards was ended, so the row was
 * committed by then if it ever will be; and the rows are read last. A folder with a marker of an engine not known to be
 * dead keeps all its files until a later sweep. A name that is not of Skein's form is left alone.
 */
import { Array as Arr, Effect, Option } from "effect"
import type { SessionId } from "../../domain/Session.js"
import type { Read, RowDamaged } from "../../domain/SkeinError.js"
import type * as Engines from "../Engines.js"
import type { ReaderService } from "../storage/Storage.js"
import type * as AssetFiles from "./AssetFiles.js"
import * as EngineInName from "../EngineInName.js"
import * as AssetNames from "./AssetNames.js"

/** What a sweep removed. */
export interface SweepResult {
  /** Saves that a dead engine did not finish. */
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
  const isOver = (marker: string): Effect.Effect<boolean> =>
    Option.match(EngineInName.engineOf(marker), {
      onNone: () => Effect.succeed(false),
      onSome: (engine) => Effect.map(engines.liveness(engine), (liveness) => liveness === "dead")
    })

  /** Names of the files that rows want. */
  const wanted = (sessionId: SessionId): Effect.Effect<ReadonlySet<string>, Read> =>
    reader.assets(sessionId).pipe(
      Effect.map((assets) => new Set(assets.map(AssetNames.file))),
      Effect.catchTag("SessionNotFound", () => Effect.succeed(new Set<string>()))
    )

  const sweepFolder = (folder: string, sessionId: SessionId) =>
    Effect.gen(function* () {
      const placed = (yield* files.entries(folder)).filter(AssetNames.isFile)
      const markers = (yield* files.entries(folder)).filter(AssetNames.isMarker)
      const [alive, over] = yield* Effect.partition(markers, (marker) =>
        Effect.flatMap(isOver(marker), (isOver) => (isOver ? Effect.succeed(marker) : Effect.fail(marker)))
      )
      const ended = yield* Effect.forEach(over, (marker) => files.end({ folder, marker }))
      const rows = alive.length === 0 && placed.length > 0 ? yield* wanted(sessionId) : new Set(placed)
      const removed = yield* Effect.forEach(
        placed.filter((file) => !rows.has(file)),
        (file) => files.remove({ folder, file })
      )
      yield* files.removeEmpty(folder)
      return { uploads: ended.filter(Boolean).length, files: removed.filter(Boolean).length }
    })

  /** A row that cannot be read may want any of the files: they stay. */
  const leave = (_: RowDamaged) => Effect.succeed(nothing)

  return Effect.gen(function* () {
    const swept = yield* Effect.forEach(yield* files.folders, (folder) =>
      Option.match(AssetNames.sessionOf(folder), {
        onNone: () => Effect.succeed(nothing),
        onSome: (sessionId) => Effect.catchTag(sweepFolder(folder, sessionId), "RowDamaged", leave)
      })
    )
    return Arr.reduce(swept, nothing, sum)
  })
}
