/**
 * What other users may do in an existing data folder. The permissions of our own files are tightened: the database, the
 * files next to it, the assets, a server's files, and the folder itself when it holds nothing but Skein's files.
 * Anything of another user that is open to others is refused, because anyone could have put it there.
 *
 * Nothing is created, and nothing below `assets` and `server` is checked: these folders shut it off. A read-only disk
 * stays as it is. Windows has no such permissions.
 */
import { chmodSync, lstatSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { StorageUnusable } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"
import * as DataLayout from "../sqlite/DataLayout.js"

/** Permission bits of everybody except the owner. */
const open = 0o077

const parts = ["", ...DataLayout.endings].map((ending) => DataLayout.databaseName + ending).concat("assets", "server")

const isOwn = (name: string): boolean =>
  name.startsWith(DataLayout.databaseName) || ["assets", "aside", "server"].includes(name)

/** Tightens the permissions of a path that is open to others. Throws `StorageUnusable` when another user owns it. */
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

/**
 * Checks a data folder before it is opened. Throws the system's errors, and `StorageUnusable` for another user's open
 * files.
 */
export const ensure = (data: string): void => {
  const user = process.getuid?.()
  if (user === undefined || lstatSync(data, { throwIfNoEntry: false }) === undefined) return
  const names = readdirSync(data)
  const { uid } = statSync(data)
  if (uid !== user || names.every(isOwn)) tighten(data, user)
  for (const name of parts) if (names.includes(name)) tighten(join(data, name), user)
}
