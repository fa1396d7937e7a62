/**
 * A copy of a database as it is at one instant, while others write: one read transaction of a connection of its own,
 * never the file's bytes. The copy is compact, stands alone (it needs no log beside it) and is for its owner only.
 */
import Sqlite from "better-sqlite3"
import { closeSync, fsyncSync, openSync } from "node:fs"

/** Copies the database at `path` into `target`, which must not exist, and syncs it. Throws what SQLite or the system threw. */
export const take = (path: string, target: string): void => {
  closeSync(openSync(target, "wx", 0o600))
  const connection = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 0 })
  try {
    connection.prepare("VACUUM INTO ?").run(target)
  } finally {
    connection.close()
  }
  syncFile(target)
}

/** Makes a file that no connection has open survive a power cut. */
export const syncFile = (path: string): void => {
  const file = openSync(path, "r+")
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
