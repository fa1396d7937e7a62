/** Whether the data folder is there, may be used, and belongs to whoever asks; and what lies about in it. */
import { Effect } from "effect"
import { accessSync, chmodSync, constants, existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Engines } from "../../../services/Engines.js"
import * as Workplace from "../backup/Workplace.js"
import { codeOf } from "../../ErrorCode.js"
import { beyondRepair, damage, type Files, type Finding, note } from "./Finding.js"
import * as DataLayout from "../DataLayout.js"

const self = (): number | null => process.getuid?.() ?? null

/** What nobody but its owner may do. Windows has no such bits. */
const closedTo = { files: 0o077, dataFolder: 0o022 }

const checkAccess = (path: string, access: number): Finding<unknown> | null => {
  try {
    accessSync(path, access)
    return null
  } catch (thrown) {
    return beyondRepair(
      path,
      `it cannot be used (${codeOf(thrown)})`,
      "give yourself access to it, or use another folder"
    )
  }
}

const checkOwner = (path: string, closed: number): ReadonlyArray<Finding<Files>> => {
  const { mode, uid } = statSync(path)
  const user = self()
  if (user !== null && uid !== user) {
    return [beyondRepair(path, `it belongs to user ${uid}, not to you (${user})`, "chown it, or use another folder")]
  }
  if (process.platform === "win32" || (mode & closed) === 0) return []
  return [
    damage(path, `others can get at it (mode ${(mode & 0o777).toString(8)})`, "only you can, then", () => {
      chmodSync(path, mode & 0o777 & ~closed)
      return "done"
    })
  ]
}

const all = constants.R_OK | constants.W_OK

/** The folder, or nothing more to look at. */
const checkFolder = (path: string, closed: number): ReadonlyArray<Finding<Files>> => {
  const found = statSync(path)
  if (!found.isDirectory()) return [beyondRepair(path, "it is no folder", "use another path for the data")]
  return [checkAccess(path, all | constants.X_OK), ...checkOwner(path, closed)].filter((finding) => finding !== null)
}

/** What is wrong with folders and files from outside, and whether it makes sense to look at what is in them. */
export interface Places {
  readonly findings: ReadonlyArray<Finding<Files>>
  readonly isUsable: boolean
}

const isReadable = (path: string): boolean =>
  existsSync(path) && statSync(path).isDirectory() && checkAccess(path, constants.R_OK | constants.X_OK) === null

/** Looks at folders and files from outside, without opening any. */
export const check = (data: string): Effect.Effect<Places, never, Engines> =>
  Effect.gen(function* () {
    if (!existsSync(data)) {
      return { findings: [note(data, "there is no such folder", "the first session makes it")], isUsable: false }
    }
    const folder = checkFolder(data, closedTo.dataFolder)
    if (!isReadable(data)) return { findings: folder, isUsable: false }
    const assets = join(data, "assets")
    const path = DataLayout.databaseIn(data)
    const files = ["", DataLayout.logEnding, DataLayout.sharedMemoryEnding]
      .map((ending) => path + ending)
      .filter((file) => existsSync(file))
    const findings = [
      ...folder,
      ...(existsSync(assets) ? checkFolder(assets, closedTo.files) : []),
      ...files.flatMap((file) => [checkAccess(file, all), ...checkOwner(file, closedTo.files)]),
      ...(existsSync(path) ? [] : strayLogs(data)),
      ...(yield* leftovers(data))
    ].filter((finding) => finding !== null)
    return { findings, isUsable: true }
  })

/** A log would be taken for a part of the next database in this place. */
const strayLogs = (data: string): ReadonlyArray<Finding<Files>> =>
  [DataLayout.logEnding, DataLayout.journalEnding]
    .map((ending) => DataLayout.databaseIn(data) + ending)
    .filter((path) => existsSync(path) && statSync(path).size > 0)
    .map((path) =>
      damage(
        path,
        "a log whose database is gone",
        "it is moved aside",
        ({ aside }: Files) => `moved to ${aside.move(path)}`
      )
    )

const leftovers = Effect.fnUntraced(function* (data: string) {
  const abandoned = [
    ...(yield* Workplace.abandoned(data, "restore")),
    ...(yield* Workplace.abandoned(data, "backup"))
  ].map((name) =>
    damage(join(data, name), "what a killed restore or backup left", "it is removed", () => {
      rmSync(join(data, name), { recursive: true, force: true })
      return "removed"
    })
  )
  const rebuilt = [DataLayout.rebuiltOf, DataLayout.unfinishedCopyOf]
    .map((nameOf) => nameOf(DataLayout.databaseIn(data)))
    .filter((path) => existsSync(path))
    .map((path) =>
      damage(path, "what a killed repair or migration left", "it is removed", () => {
        rmSync(path)
        return "removed"
      })
    )
  const copies = readdirSync(data)
    .filter(DataLayout.isCopy)
    .map((name) => note(join(data, name), "the copy made before a migration", "delete it when you no longer need it"))
  return [...abandoned, ...rebuilt, ...copies]
})
