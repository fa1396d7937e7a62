/**
 * Puts what was restored in a workplace into its data folder. The database comes last and by one rename, so there is
 * either no database or the whole one. What is in the way, such as assets without a database, is moved aside.
 *
 * If it is killed between its renames, it leaves assets without their database; `reclaim` takes them back before the
 * workplace is removed.
 */
import { Effect } from "effect"
import { existsSync, readdirSync, renameSync } from "node:fs"
import { join } from "node:path"
import { Folders } from "../../../services/Folders.js"
import * as FolderCreation from "../../node/FolderCreation.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import { attempt } from "./BackupFile.js"
import { RestoreFailed } from "./BackupError.js"
import * as Workplace from "./Workplace.js"

/** Files that SQLite would take for parts of the restored database. */
const beside = DataLayout.endings.map((end) => `${DataLayout.databaseName}${end}`)

const assetsIn = (folder: string): string => join(folder, "assets")

/** The error when there already is a database. */
export const occupied = (data: string) =>
  new RestoreFailed({ path: DataLayout.databaseIn(data), reason: "occupied", detail: "" })

/** Takes assets back into an abandoned workplace whose process was killed before its database was in place. */
export const reclaim =
  (data: string) =>
  (workplace: string): void => {
    const isPlaced = existsSync(assetsIn(data)) && !existsSync(assetsIn(workplace))
    if (!Workplace.isUntouched(workplace) || !isPlaced || existsSync(DataLayout.databaseIn(data))) return
    if (existsSync(DataLayout.databaseIn(workplace))) renameSync(assetsIn(data), assetsIn(workplace))
  }

/** Moves what a repair in the workplace has moved aside into the same folder of the data folder. */
const placeAside = (workplace: string, data: string): void => {
  const [from, to] = [workplace, data].map((folder) => join(folder, Aside.folderName))
  if (from === undefined || to === undefined || !existsSync(from)) return
  FolderCreation.make(to)
  for (const name of readdirSync(from)) renameSync(join(from, name), join(to, name))
}

/**
 * Returns the new paths of the things that were in the way. `at` is the current time in milliseconds since the epoch.
 */
export const place = (
  workplace: string,
  data: string,
  at: number
): Effect.Effect<ReadonlyArray<string>, unknown, Folders> =>
  Effect.gen(function* () {
    const { sync } = yield* Folders
    const path = DataLayout.databaseIn(data)
    const movedAside = yield* attempt(() => {
      if (existsSync(path)) throw occupied(data)
      const { move } = Aside.make(data, at)
      const inTheWay = [...beside, "assets"].map((name) => join(data, name)).filter((path) => existsSync(path))
      return inTheWay.map(move)
    })
    yield* attempt(() => placeAside(workplace, data))
    yield* attempt(() => renameSync(assetsIn(workplace), assetsIn(data)))
    yield* sync(data).pipe(
      Effect.zipRight(
        attempt(() => {
          if (existsSync(path)) throw occupied(data)
          renameSync(DataLayout.databaseIn(workplace), path)
        })
      ),
      Effect.onError(() => Effect.ignore(attempt(() => renameSync(assetsIn(data), assetsIn(workplace)))))
    )
    yield* sync(data)
    return movedAside
  }).pipe(Effect.uninterruptible)
