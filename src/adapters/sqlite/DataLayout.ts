/**
 * The names of the database and of the files that belong to it in a data folder.
 *
 * - `skein.db`, and the files that SQLite puts next to it: the log, its shared memory, a journal.
 * - `skein.db.before-<version>-<time>`: a copy made before a migration that rewrites rows.
 * - `skein.db.before-<version>.partial`: the same before the migration is done; earlier versions left the version out.
 * - `skein.db.rebuilt`: a repaired database that is not finished.
 */
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"

export const databaseName = "skein.db"

export const databaseIn = (data: string): string => join(data, databaseName)

/** The endings of the files that SQLite puts next to a database. */
export const logEnding = "-wal"
export const sharedMemoryEnding = "-shm"
export const journalEnding = "-journal"
export const endings = [logEnding, sharedMemoryEnding, journalEnding]

/** `at` is a time as ISO 8601. */
export const copyOf = (path: string, version: number, at: string): string =>
  `${path}.before-${version}-${at.replace(/[-:]/g, "")}`

export const unfinishedCopyOf = (path: string, version: number): string => `${path}.before-${version}.partial`

/** Whether it is one, or a file that SQLite has put next to it. */
export const isUnfinishedCopy = (name: string): boolean => /\.before(?:-\d+)?\.partial(?:-\w+)?$/.test(name)

export const isCopy = (name: string): boolean => name.startsWith(`${databaseName}.before-`) && !isUnfinishedCopy(name)

export const rebuiltOf = (path: string): string => `${path}.rebuilt`

/** The database file and the files that belong to it, as far as they exist. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  ["", ...endings].map((end) => path + end).filter((part) => existsSync(part))

export const hasBytes = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
