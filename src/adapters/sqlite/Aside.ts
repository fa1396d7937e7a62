/**
 * The place for files that are in the way and must not be lost: `aside/<time>/` in the data folder, created for the
 * first of them. A file is moved by one rename and keeps its name. If the name is taken, it gets a number.
 */
import { existsSync, renameSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import * as FolderCreation from "../node/FolderCreation.js"
import * as Sync from "./Sync.js"

export interface Aside {
  /** Moves a file or a folder and returns its new path. */
  readonly move: (path: string) => string
  /** The folder, created if necessary. */
  readonly folder: () => string
  /** Writes a value as JSON under a name and returns its path. */
  readonly keep: (name: string, value: unknown) => string
  /** Makes moved files survive a power cut. Written files already do. */
  readonly sync: () => void
}

/** The name of the folder for everything that was ever moved. */
export const folderName = "aside"

/** `at` is the current time in milliseconds since the epoch. */
export const make = (data: string, at: number): Aside => {
  const time = new Date(at).toISOString().replace(/[-:]/g, "").replace(".", "")
  const folder = join(data, folderName, time)

  const free = (below: string, name: string): string => {
    const within = join(folder, below)
    FolderCreation.make(within)
    const candidates = (function* () {
      yield name
      for (let number = 2; ; number++) yield `${name}.${number}`
    })()
    for (const candidate of candidates) {
      if (!existsSync(join(within, candidate))) return join(within, candidate)
    }
    return join(within, name)
  }

  /** Syncs the names in a folder and in the folders above it, up to the data folder. */
  const sync = (path: string): void => {
    Sync.folder(path)
    if (relative(path, data) !== "") sync(dirname(path))
  }

  return {
    sync: () => sync(folder),
    folder: () => {
      FolderCreation.make(folder)
      return folder
    },
    move: (path) => {
      const below = relative(data, join(path, ".."))
      const target = free(below.startsWith("..") ? "" : below, basename(path))
      renameSync(path, target)
      return target
    },
    keep: (name, value) => {
      const target = free("rows", `${name}.json`)
      writeFileSync(target, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: "wx" })
      Sync.file(target)
      sync(dirname(target))
      return target
    }
  }
}
