/** Makes files and names survive a power cut. */
import { closeSync, fsyncSync, openSync } from "node:fs"

const sync = (path: string, flags: string): void => {
  const descriptor = openSync(path, flags)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Syncs the content of a file that no connection has open: closing the descriptor would drop SQLite's locks. */
export const file = (path: string): void => sync(path, "r+")

/** Syncs the names in a folder. Windows has no such call. */
export const folder = (path: string): void => {
  if (process.platform !== "win32") sync(path, "r")
}
