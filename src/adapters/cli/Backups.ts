/**
 * Makes and restores backups, and reports the result: a line for each damage, up to a limit, and the exit code. Long
 * work shows its progress, and ends at the first signal without a trace.
 */
import * as Path from "@effect/platform/Path"
import { Effect, Layer } from "effect"
import { statSync } from "node:fs"
import type { InvalidInput, StorageUnusable } from "../../domain/SkeinError.js"
import * as Identity from "../node/Identity.js"
import * as NodeFolders from "../node/NodeFolders.js"
import * as DataLayout from "../sqlite/DataLayout.js"
import * as Backup from "../sqlite/backup/Backup.js"
import type { BackupFailed, RemovalFailed } from "../sqlite/backup/BackupError.js"
import * as Interval from "../sqlite/backup/Interval.js"
import * as Restore from "../sqlite/backup/Restore.js"
import * as DoctorProcess from "./DoctorProcess.js"
import { DamagedBackup, RestoredInPart, WrongUsage } from "./Failure.js"
import * as Place from "./Place.js"
import * as ReadingCopy from "./ReadingCopy.js"
import { Signals } from "./Signals.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Maintenance.js"
import * as PlaceTexts from "./texts/Places.js"
import * as Sessions from "./texts/Sessions.js"
import * as WholeNumber from "./WholeNumber.js"

export interface BackupInput {
  readonly path: string
  /** The option's text; null without it. */
  readonly keep: string | null
  readonly place: Place.Given
}

export interface RestoreInput {
  readonly path: string
  readonly isSalvage: boolean
  readonly place: Place.Given
}

const layer = Layer.mergeAll(Identity.layer, NodeFolders.layer, DoctorProcess.layer)

/** The most lines of findings that are shown. */
const maxLines = 20

const keepOf = (text: string): Effect.Effect<number, InvalidInput> =>
  WholeNumber.read(text, { field: "--keep", digits: 6, limit: "must be a whole number from 1 to 999999" })

/** False also where that cannot be found out: a backup into it then says why. */
const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Whether a database cannot be opened in place because its disk is full or read-only, although it can be read. */
const isUnopened =
  (database: string) =>
  (error: BackupFailed | RemovalFailed | StorageUnusable): error is BackupFailed | StorageUnusable =>
    (error._tag === "BackupFailed" || error._tag === "StorageUnusable") &&
    error.path === database &&
    ReadingCopy.isWorthwhile(error)

const showAll = (lines: ReadonlyArray<string>) =>
  Effect.flatMap(Screen, ({ writeError }) =>
    Effect.forEach(
      lines.length > maxLines ? [...lines.slice(0, maxLines), Texts.more(lines.length - maxLines)] : lines,
      (line) => writeError(`${TerminalText.line(line)}\n`),
      { discard: true }
    )
  )

export const backup = Effect.fn("cli.backup")(function* (input: BackupInput) {
  const { write, writeError } = yield* Screen
  const keep = input.keep === null ? null : yield* keepOf(input.keep)
  const data = yield* Place.folder(input.place, PlaceTexts.noBackup)
  const path = (yield* Path.Path).resolve(input.path)
  if (keep === null && isFolder(path)) return yield* new WrongUsage({ detail: Texts.nameAFile(path) })
  yield* (yield* Signals).arm
  const made = yield* Progress.during({ label: Texts.backingUp, unit: "bytes" }, (onProgress) => {
    const make = (database: string) => {
      const options = { data, database, onProgress }
      return keep === null
        ? Effect.map(Backup.make({ ...options, files: [path] }), (made) => ({ ...made, removed: [] }))
        : Interval.make({ ...options, folder: path, keep })
    }
    const database = DataLayout.databaseIn(data)
    return Effect.catchIf(make(database), isUnopened(database), (error) =>
      Effect.gen(function* () {
        const copy = yield* ReadingCopy.make(data, error)
        yield* writeError(`skein: ${Sessions.readingCopy}\n`)
        return yield* make(DataLayout.databaseIn(copy))
      }).pipe(Effect.scoped)
    )
  })
  const { assets, damage, faults, file, removed, sessions, size } = made
  const lines = [
    ...damage.map(({ text }) => Texts.damage(text)),
    ...faults.map(({ detail, name, session }) => Texts.fault(session, name, detail))
  ]
  yield* showAll(lines)
  yield* write(`${Texts.backedUp(TerminalText.line(file), sessions, assets, Progress.size(size))}\n`)
  if (removed.length > 0) yield* write(`${Texts.removed(removed.length)}\n`)
  if (lines.length > 0) return yield* new DamagedBackup({ problems: lines.length, removesOlder: keep !== null })
}, Effect.provide(layer))

export const restore = Effect.fn("cli.restore")(function* ({ isSalvage, path, place }: RestoreInput) {
  const { write } = yield* Screen
  const data = yield* Place.folder(place, PlaceTexts.noRestore)
  const file = (yield* Path.Path).resolve(path)
  yield* (yield* Signals).arm
  const { assets, isExact, kept, movedAside, remarks, sessions } = yield* Progress.during(
    { label: Texts.restoring, unit: "bytes" },
    (onProgress) => Restore.run({ data, file, isSalvage, onProgress })
  )
  const damaged = remarks.filter(({ state }) => state === "damage")
  const repaired = remarks.filter(({ state }) => state === "repaired")
  yield* showAll([
    ...damaged.map(({ advice }) => Texts.damage(advice)),
    ...repaired.map(({ advice }) => Texts.repaired(advice))
  ])
  yield* showAll(kept.map((kept) => Texts.kept(kept.session, kept)))
  yield* showAll(movedAside.map(Texts.movedAside))
  const sum = (of: "messages" | "files" | "rows") => repaired.reduce((sum, { lost }) => sum + lost[of], 0)
  const lost = { messages: sum("messages"), files: sum("files"), rows: sum("rows") }
  if (damaged.length + lost.messages + lost.files + lost.rows > 0 || !isExact) {
    return yield* new RestoredInPart({ data, lost, damaged: damaged.length, isExact })
  }
  yield* write(`${Texts.restored(TerminalText.line(data), sessions, assets)}\n`)
}, Effect.provide(layer))
