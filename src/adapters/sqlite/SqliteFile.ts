/**
 * The database's file, and those beside it. They are looked at by `stat` alone: closing a descriptor of one's own on a
 * database that is open in this process would drop SQLite's locks. Only a file that did not exist is created by hand, so
 * that it never has wider permissions than 0600, not even before its first byte; SQLite gives those of the file to the
 * log beside it.
 */
import { closeSync, openSync, realpathSync, statSync } from "node:fs"
import { StorageUnusable } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import * as FolderCreation from "../node/FolderCreation.js"
import * as DataLayout from "./DataLayout.js"

export interface SqliteFile {
  /** Canonical: whatever links led here, they are resolved. */
  readonly path: string
  readonly device: number
  readonly inode: number
}

/** No database is smaller; SQLite takes a file of one byte for an empty one, and would write over it. */
const smallestPage = 512

/** The database's file within the data folder, both created where they do not exist. */
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

/** The log and the shared memory beside an open database; they stay as long as it is open anywhere. */
export const beside = ({ path }: SqliteFile): ReadonlyArray<SqliteFile> =>
  [DataLayout.logEnding, DataLayout.sharedMemoryEnding]
    .map((ending) => path + ending)
    .flatMap((path) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found === undefined ? [] : [{ path, device: found.dev, inode: found.ino }]
    })

/** Whether the path no longer leads to this very file. */
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
