/**
 * What an existing data folder lets other users do. What is ours is tightened: the database, the files beside it, the
 * assets and what is a server's, and the folder itself when it holds nothing but Skein's own. What is another user's and
 * open to others is refused, as anyone could have put it there.
 *
 * Nothing is created, and nothing below `assets` and `server` is looked at: these folders close it. A disk that cannot be
 * written stays as it is. Windows has no such permissions.
 */
import { chmodSync, lstatSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { StorageUnusable } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import * as DataLayout from "../sqlite/DataLayout.js"

/** What nobody but its owner may do. */
const open = 0o077

const parts = ["", ...DataLayout.endings].map((ending) => DataLayout.databaseName + ending).concat("assets", "server")

const isOwn = (name: string): boolean =>
  name.startsWith(DataLayout.databaseName) || ["assets", "aside", "server"].includes(name)

/** Tightens what is open at a path. Throws `StorageUnusable` when it belongs to somebody else. */
const tighten = (path: string, user: number): void => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || (found.mode & open) === 0) return
  if (found.uid !== user) {
    throw new StorageUnusable({
      path,
      reason: "no-access",
      detail: `user ${found.uid} owns it, and others can use it`
    })
  }
  try {
    chmodSync(path, found.mode & 0o7777 & ~open)
  } catch (thrown) {
    if (codeOf(thrown) !== "EROFS") throw thrown
  }
}

/** Looks at a data folder before it is opened. Throws the system's errors, and `StorageUnusable` for a stranger's. */
export const ensure = (data: string): void => {
  const user = process.getuid?.()
  if (user === undefined || lstatSync(data, { throwIfNoEntry: false }) === undefined) return
  const names = readdirSync(data)
  const { uid } = statSync(data)
  if (uid !== user || names.every(isOwn)) tighten(data, user)
  for (const name of parts) if (names.includes(name)) tighten(join(data, name), user)
}
