/**
 * Where things go that are in the way and are not to be lost: `aside/<time>/` in the data folder, made when the first
 * comes. A thing is moved by one rename and keeps its name there; a name that is taken gets a number.
 */
import { existsSync, renameSync, writeFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import * as FolderCreation from "../node/FolderCreation.js"

export interface Aside {
  /** Moves a file or a folder. Gives where it is then. */
  readonly move: (path: string) => string
  /** The folder, made if need be. */
  readonly folder: () => string
  /** Keeps a value as JSON, under a name. Gives where it is. */
  readonly keep: (name: string, value: unknown) => string
}

/** The name of the folder that holds all that was ever moved. */
export const folderName = "aside"

/** `at` is the time now, in milliseconds since the epoch. */
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

  return {
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
      return target
    }
  }
}
