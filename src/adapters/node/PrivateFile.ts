/**
 * Files that nobody but their owner can read, and that come whole: each is written beside its place, synced, and then put
 * into it. All throw what the system says.
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

/** Writes a file, in place of the one that may be there. Its folder has to be there. */
export const write = (path: string, text: string): void => put(path, text, (draft) => renameSync(draft, path))

/** Writes a file where there is none. Returns whether it did. */
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

const orIfMissing = <A, B>(missing: B, find: () => A): A | B => {
  try {
    return find()
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return missing
    throw thrown
  }
}

/** What a file says, without blanks around it; null where there is none. */
export const read = (path: string): string | null => orIfMissing(null, () => readFileSync(path, "utf8").trim())

/** The names of the files in a folder; none where it is missing. */
export const names = (folder: string): ReadonlyArray<string> => orIfMissing([], () => readdirSync(folder))
