/**
 * Creates a folder and the missing ones above it, one by one.
 *
 * Node 20's recursive `mkdir` is not used: it never returns where the system reports a folder as missing that cannot be
 * created, as below /proc, and no signal ends a process that is in it.
 */
import { mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf } from "../ErrorCode.js"

/** Creates one folder, or finds it. Throws what the system says. */
const makeOne = (path: string, mode: number): void => {
  try {
    mkdirSync(path, { mode })
  } catch (thrown) {
    // Some systems refuse to create what is there with another code.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw thrown
  }
}

/** Only the owner can use the folders that are created. Throws the system's error for the first that cannot be. */
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
