/**
 * A copy of a database at one instant, while others write. It is made by one read transaction of its own connection,
 * never from the bytes of the file. The copy is compact, needs no log beside it, and only the user can read it.
 */
import Sqlite from "better-sqlite3"
import { closeSync, openSync } from "node:fs"
import * as Sync from "./Sync.js"

/** Copies the database at `path` into `target`, which must not exist, and syncs it. Throws SQLite's or the system's error. */
export const take = (path: string, target: string): void => {
  closeSync(openSync(target, "wx", 0o600))
  const connection = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 0 })
  try {
    connection.pragma("synchronous = OFF")
    connection.prepare("VACUUM INTO ?").run(target)
  } finally {
    connection.close()
  }
  // Once, instead of at each of SQLite's own steps.
  Sync.file(target)
}
