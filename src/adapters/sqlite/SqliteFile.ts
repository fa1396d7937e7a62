/**
 * The database file and the files next to it. They are examined only by `stat`: closing a descriptor on a database that
 * this process has open would drop SQLite's locks. Only a missing file is created here, so that its permissions are
 * never wider than 0600, not even before its first byte. SQLite gives the log the same permissions.
 */
import { closeSync, openSync, realpathSync, statSync } from "node:fs"
import { StorageUnusable } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import * as FolderCreation from "../node/FolderCreation.js"
import * as DataLayout from "./DataLayout.js"

export interface SqliteFile {
  /** Canonical: links are resolved. */
  readonly path: string
  readonly device: number
  readonly inode: number
}

/** The size of the smallest database. SQLite takes a file of one byte for an empty one and would overwrite it. */
const smallestPage = 512

/** Returns the database file in the data folder. Creates both if they are missing. */
export const prepare = (directory: string): SqliteFile => {
  FolderCreation.make(directory)
  const named = DataLayout.databaseIn(realpathSync(directory))
  create(named)
  const path = realpathSync(named)
  const found = statSync(path)
  if (!found.isFile()) throw new StorageUnusable({ path, reason: "not-a-database", detail: "not a regular file" })
  if (found.size > 0 && found.size < smallestPage) {
    throw new StorageUnusable({ path, reason: "not-a-database", detail: `${found.size} bytes` })
  }
  if (found.nlink > 1) throw new StorageUnusable({ path, reason: "hard-linked", detail: `${found.nlink} names` })
  return { path, device: found.dev, inode: found.ino }
}

/** The log and the shared memory next to an open database. They exist as long as it is open anywhere. */
export const beside = ({ path }: SqliteFile): ReadonlyArray<SqliteFile> =>
  [DataLayout.logEnding, DataLayout.sharedMemoryEnding]
    .map((ending) => path + ending)
    .flatMap((path) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found === undefined ? [] : [{ path, device: found.dev, inode: found.ino }]
    })

/** Whether the path no longer leads to this file. */
export const isReplaced = ({ device, inode, path }: SqliteFile): boolean => {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined || found.dev !== device || found.ino !== inode
}

const create = (path: string): void => {
  try {
    closeSync(openSync(path, "wx", 0o600))
  } catch (thrown) {
    if (codeOf(thrown) !== "EEXIST") throw thrown
  }
}
