/** Checks that the data folder exists, is accessible and private, and lists leftovers in it. Opens no file. */
import { Effect } from "effect"
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Engines } from "../../../services/Engines.js"
import { codeOf } from "../../ErrorCode.js"
import * as DataLayout from "../DataLayout.js"
import * as Workplace from "../backup/Workplace.js"
import { type Finding, make } from "../../../services/storage/sql/doctor/Finding.js"
import type { Look } from "../../../services/storage/sql/doctor/Treatment.js"

/** Bits of the mode that should not be set. Windows has no such bits. */
const closedTo = { files: 0o077, dataFolder: 0o022 }

const all = constants.R_OK | constants.W_OK

const checkAccess = (path: string, access: number): ReadonlyArray<Finding> => {
  try {
    accessSync(path, access)
    return []
  } catch (thrown) {
    return [make("no-access", { path, code: codeOf(thrown) })]
  }
}

const checkUser = (path: string, closed: number): ReadonlyArray<Finding> => {
  const { mode, uid } = statSync(path)
  const self = process.getuid?.() ?? null
  if (self !== null && uid !== self) return [make("another-user", { path, uid, self })]
  if (process.platform === "win32" || (mode & closed) === 0) return []
  return [make("open-to-others", { path, mode, closed })]
}

const checkFolder = (path: string, closed: number): ReadonlyArray<Finding> =>
  statSync(path).isDirectory()
    ? [...checkAccess(path, all | constants.X_OK), ...checkUser(path, closed)]
    : [make("not-a-folder", { path })]

/** SQLite would take such a log for part of the next database in this folder. */
const strayLogs = (data: string): ReadonlyArray<Finding> =>
  [DataLayout.logEnding, DataLayout.journalEnding]
    .map((ending) => DataLayout.databaseIn(data) + ending)
    .filter(DataLayout.hasBytes)
    .map((path) => make("stray-log", { path }))

/** Whether an unfinished repair or migration has left the file, or SQLite has put it next to one. */
const isUnfinished = (name: string): boolean =>
  name.startsWith(DataLayout.rebuiltOf(DataLayout.databaseName)) || DataLayout.isUnfinishedCopy(name)

const leftovers = Effect.fnUntraced(function* (data: string) {
  const names = [...(yield* Workplace.abandoned(data, "restore")), ...(yield* Workplace.abandoned(data, "backup"))]
  const abandoned = names.map((name) => make("left-behind", { path: join(data, name), by: "backup" }))
  const all = readdirSync(data)
  const unfinished = all
    .filter(isUnfinished)
    .map((name) => make("left-behind", { path: join(data, name), by: "repair" }))
  const copies = all.filter(DataLayout.isCopy).map((name) => make("migration-copy", { path: join(data, name) }))
  return [...abandoned, ...unfinished, ...copies]
})

/** Checks the folder without opening files, and says whether further checks make sense. */
export const check = (data: string): Effect.Effect<Look, never, Engines> =>
  Effect.gen(function* () {
    if (!existsSync(data)) return { findings: [make("folder-missing", { path: data })], isSound: false }
    const folder = checkFolder(data, closedTo.dataFolder)
    const isReadable = statSync(data).isDirectory() && checkAccess(data, constants.R_OK | constants.X_OK).length === 0
    if (!isReadable) return { findings: folder, isSound: false }
    const assets = join(data, "assets")
    const path = DataLayout.databaseIn(data)
    const files = ["", DataLayout.logEnding, DataLayout.sharedMemoryEnding].map((ending) => path + ending)
    const findings = [
      ...folder,
      ...(existsSync(assets) ? checkFolder(assets, closedTo.files) : []),
      ...files
        .filter((path) => existsSync(path))
        .flatMap((path) => [...checkAccess(path, all), ...checkUser(path, closedTo.files)]),
      ...(existsSync(path) ? [] : strayLogs(data)),
      ...(yield* leftovers(data))
    ]
    return { findings, isSound: true }
  })
