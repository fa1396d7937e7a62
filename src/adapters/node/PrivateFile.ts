/**
 * Files that only their owner can read and that appear whole: each is written next to its final path, synced, and then
 * put there. All functions throw the system's errors.
 */
import { randomUUID } from "node:crypto"
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { codeOf } from "../ErrorCode.js"

const put = <A>(path: string, text: string, place: (draft: string) => A): A => {
  const draft = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    const file = openSync(draft, "wx", 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    return place(draft)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Writes a file, replacing an existing one. Its folder must exist. */
export const write = (path: string, text: string): void => put(path, text, (draft) => renameSync(draft, path))

/** Writes a file unless it exists. Returns whether it did. */
export const create = (path: string, text: string): boolean =>
  put(path, text, (draft) => {
    try {
      linkSync(draft, path)
      return true
    } catch (thrown) {
      if (codeOf(thrown) === "EEXIST") return false
      throw thrown
    }
  })

/** Removes a file. Returns whether it was there: of several that remove it at the same time, one is told so. */
export const remove = (path: string): boolean =>
  orIfMissing(false, () => {
    unlinkSync(path)
    return true
  })

const orIfMissing = <A, B>(missing: B, find: () => A): A | B => {
  try {
    return find()
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return missing
    throw thrown
  }
}

/** Returns a file's text without surrounding blanks; null when the file is missing. */
export const read = (path: string): string | null => orIfMissing(null, () => readFileSync(path, "utf8").trim())

/** Returns the names of the files in a folder; none when the folder is missing. */
export const names = (folder: string): ReadonlyArray<string> => orIfMissing([], () => readdirSync(folder))
