/**
 * A copy of a database, for reading it where it cannot be opened as it is:
 *
 * - SQLite needs a little room next to a database even to read it, and a full or read-only disk has none. The copy is
 *   made of the database and its log, and only when neither changed meanwhile: a process that writes to the database
 *   keeps room next to it, so it can be opened then.
 * - A database of an older version cannot be migrated while another process has it open. The copy is made through SQLite,
 *   while that process works.
 *
 * Guaranteed: the original is not touched; only its owner can read the copy, and it is gone with the scope.
 *
 * The copy has no assets. They are read where they are.
 */
import { Effect } from "effect"
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DataLayout from "../sqlite/DataLayout.js"

const codes = /^(SQLITE_(IOERR_SHM|FULL|READONLY|CANTOPEN)|ENOSPC|EDQUOT|EROFS)/

/** Whether a database was not opened because there is no room, or nothing can be written. */
export const isWorthwhile = (error: { readonly code: string } | { readonly detail: string }): boolean =>
  codes.test("code" in error ? error.code : error.detail)

/** Where there may be room for a copy: the folder for temp files, and memory. */
const places = (): ReadonlyArray<string> => [tmpdir(), "/dev/shm"].filter((place) => existsSync(place))

const stateOf = (path: string): string => {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`
}

const files = [DataLayout.databaseName, `${DataLayout.databaseName}${DataLayout.logEnding}`]

/** Throws when there is no room here, or the files changed meanwhile. */
const copyTo = (folder: string, data: string): void => {
  const before = files.map((name) => stateOf(join(data, name)))
  for (const name of files) if (existsSync(join(data, name))) copyFileSync(join(data, name), join(folder, name))
  if (files.some((name, at) => stateOf(join(data, name)) !== before[at])) throw new Error("the database changed")
}

type CopyTo = (folder: string, data: string) => Effect.Effect<void, unknown>

const ofFiles: CopyTo = (folder, data) => Effect.try(() => copyTo(folder, data))

const ofSnapshot: CopyTo = (folder, data) =>
  Effect.flatMap(
    Effect.promise(() => import("./FolderEngine.js")),
    ({ take }) => take(DataLayout.databaseIn(data), DataLayout.databaseIn(folder), () => Effect.void)
  )

const remove = (folder: string) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))

/** A folder with a copy, in the first place that has room. */
const made = (copyTo: CopyTo, data: string) =>
  Effect.firstSuccessOf(
    places().map((place) =>
      Effect.acquireRelease(
        Effect.try(() => mkdtempSync(join(place, "skein-reading-"))),
        remove
      ).pipe(Effect.tap((folder) => Effect.tapError(copyTo(folder, data), () => remove(folder))))
    )
  )

/** The folder of a copy of a data folder's database. Fails with `original` when no copy can be made. */
export const make = <E>(data: string, original: E) => Effect.mapError(made(ofFiles, data), () => original)

/** The same while other processes have the database open. */
export const ofOpen = <E>(data: string, original: E) => Effect.mapError(made(ofSnapshot, data), () => original)
