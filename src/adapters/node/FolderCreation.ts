/**
 * Creates a folder and the missing ones above it, one by one.
 *
 * Node 20's recursive `mkdir` is not used: it never returns where a folder cannot be created but the system reports it
 * as missing, as below /proc, and no signal ends a process that is stuck in it.
 */
import { existsSync, mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf } from "../ErrorCode.js"

/** Creates one folder unless it exists. Throws the system's error. */
const makeOne = (path: string, mode: number): void => {
  try {
    mkdirSync(path, { mode })
  } catch (thrown) {
    // Some systems report an existing folder with another code.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw thrown
  }
}

/**
 * Creates the folders for their owner's use only. Throws the system's error for the first one that cannot be created.
 */
export const make = (path: string): void => {
  const mode = 0o700
  try {
    makeOne(path, mode)
  } catch (thrown) {
    const parent = dirname(path)
    if (codeOf(thrown) !== "ENOENT" || parent === path) throw thrown
    make(parent)
    makeOne(path, mode)
  }
}

/** The folders that `make` would create, the innermost first: for those who take them back. */
export const missing = (path: string): ReadonlyArray<string> =>
  existsSync(path) ? [] : [path, ...missing(dirname(path))]
