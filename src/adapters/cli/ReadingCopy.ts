/**
 * A copy of a database, for reading it where it cannot be opened: SQLite needs a little room next to a database even to
 * read it, and a full or read-only disk has none.
 *
 * Guaranteed: the original is not touched; only its owner can read the copy, and it is gone with the scope. The copy is
 * made of the database and its log, and only when neither changed meanwhile: a process that writes to the database
 * keeps room next to it, so it can be opened then.
 *
 * Not guaranteed: that the copy has assets. Commands must read them where they are.
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

const makeIn = (place: string, data: string): string => {
  const folder = mkdtempSync(join(place, "skein-reading-"))
  try {
    copyTo(folder, data)
    return folder
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true })
    throw thrown
  }
}

/** The folder of a copy of a data folder's database. Fails with `original` when no copy can be made. */
export const make = <E>(data: string, original: E) =>
  Effect.acquireRelease(
    Effect.firstSuccessOf(places().map((place) => Effect.try(() => makeIn(place, data)))).pipe(
      Effect.mapError(() => original)
    ),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
