/**
 * Backups of one data folder at intervals, in a folder of their own, of which the newest are kept. They are named by time
 * in UTC, so that names sort as times do.
 *
 * An older backup is removed only when a newer one is whole, synced, read again and without damage. Files of other
 * names, folders and links are never touched.
 */
import { Clock, Effect } from "effect"
import { readdirSync } from "node:fs"
import { unlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { Folders } from "../../../services/Folders.js"
import { codeOf } from "../../ErrorCode.js"
import * as Backup from "./Backup.js"
import { RemovalFailed } from "./BackupError.js"
import { attempt, attemptAsync } from "./BackupFile.js"

export interface Options extends Omit<Backup.Options, "files"> {
  /** The folder of the backups: an absolute path. */
  readonly folder: string
  /** How many are kept, at least 1. */
  readonly keep: number
}

interface Made extends Backup.Backup {
  /** Paths of older backups that were removed. */
  readonly removed: ReadonlyArray<string>
}

const namePattern = /^skein-\d{8}T\d{6}\.\d{3}Z\.skein$/

/** `at` is a time in milliseconds since the epoch. */
const nameAt = (at: number): string => `skein-${new Date(at).toISOString().replace(/[-:]/g, "")}.skein`

/** The milliseconds that are added to the time when names are taken. */
const moments = Array.from({ length: 1_000 }, (_, after) => after)

/** Returns the backups older than `newest` that are too many to keep, oldest first. */
const tooOld = (folder: string, newest: string, keep: number): ReadonlyArray<string> => {
  const older = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && namePattern.test(entry.name) && entry.name < newest)
    .map(({ name }) => name)
    .toSorted()
  return older.slice(0, Math.max(0, older.length - (keep - 1)))
}

/** Makes a backup, and removes those that are too old. */
export const make = Effect.fn("Interval.make")(function* ({ folder, keep, ...options }: Options) {
  const now = yield* Clock.currentTimeMillis
  const first = join(folder, nameAt(now))
  const others = moments.slice(1).map((after) => join(folder, nameAt(now + after)))
  const backup = yield* Backup.make({ ...options, files: [first, ...others] })
  if (backup.damage.length + backup.faults.length > 0) return { ...backup, removed: [] } satisfies Made
  const failed = (path: string) => (thrown: unknown) =>
    new RemovalFailed({ path, made: backup.file, detail: codeOf(thrown) })
  const names = yield* Effect.mapError(
    attempt(() => tooOld(dirname(backup.file), basename(backup.file), keep)),
    failed(folder)
  )
  const removed = names.map((name) => join(folder, name))
  for (const path of removed) {
    yield* attemptAsync(() => unlink(path)).pipe(
      Effect.catchIf(
        (thrown) => codeOf(thrown) === "ENOENT",
        () => Effect.void
      ),
      Effect.mapError(failed(path))
    )
  }
  const { sync } = yield* Folders
  if (removed.length > 0) yield* Effect.ignore(sync(folder))
  return { ...backup, removed } satisfies Made
})
