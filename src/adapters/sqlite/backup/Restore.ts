/**
 * Restores a backup into a data folder that has no database.
 *
 * Guaranteed:
 * - Everything is written, synced and checked (digests, the database's own integrity, its version, a file for each
 *   asset) before anything is put in place. One rename puts the database in place, last. So there is always either no
 *   database or the whole one, and a failed restore can be repeated.
 * - Nothing is deleted: what is in the way, such as assets without a database, is moved aside.
 */
import { Clock, Effect, Option } from "effect"
import { existsSync, mkdirSync, renameSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageUnusable } from "../../../domain/SkeinError.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import { Folders } from "../../../services/Folders.js"
import type { Engines } from "../../../services/Engines.js"
import * as FolderCreation from "../../node/FolderCreation.js"
import * as Aside from "../Aside.js"
import * as Driver from "../Driver.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import { nameOf, namedAssets } from "./Backup.js"
import { codeOf } from "../../ErrorCode.js"
import { RestoreFailed } from "./BackupError.js"
import * as BackupFile from "./BackupFile.js"
import * as Workplace from "./Workplace.js"
import * as DataLayout from "../DataLayout.js"

export interface Options {
  /** The data folder. It is created if it does not exist. */
  readonly data: string
  /** The backup to read: an absolute path. */
  readonly file: string
  /** Called with the number of bytes done, and how many there are. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>
}

export interface Restoration {
  readonly sessions: number
  readonly assets: number
  /** Where the things are now that were in the way. */
  readonly movedAside: ReadonlyArray<string>
  /** Names of content that was missing or changed when the backup was taken. */
  readonly faults: ReadonlySet<string>
}

/** Files that SQLite would take for parts of the restored database. */
const beside = DataLayout.endings.map((end) => `${DataLayout.databaseName}${end}`)

/** Whether a backup may hold a file of this name. No such name leads out of the data folder. */
const isKnown = (name: string): boolean => {
  if (name === DataLayout.databaseName) return true
  const [root, folder = "", file = "", ...more] = name.split("/")
  return (
    root === "assets" && more.length === 0 && Option.isSome(AssetNames.sessionOf(folder)) && AssetNames.isFile(file)
  )
}

const damaged = (path: string, detail: string) => new RestoreFailed({ path, reason: "damaged", detail })

const openBackup = (path: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => BackupFile.open(path),
      catch: (thrown) => {
        const code = codeOf(thrown)
        if (code === "SQLITE_NOTADB") return new RestoreFailed({ path, reason: "not-a-backup", detail: code })
        return code.startsWith("SQLITE_CANTOPEN")
          ? new RestoreFailed({ path, reason: "no-file", detail: code })
          : damaged(path, code)
      }
    }).pipe(
      Effect.filterOrElse(
        (found) => typeof found !== "string",
        (found) => new RestoreFailed({ path, reason: found === "newer" ? "newer-version" : "not-a-backup", detail: "" })
      )
    ),
    (backup) => Effect.sync(() => backup.close())
  )

/** Refuses a restored database that is not sound, or whose assets are not in the backup. Returns how many sessions it has. */
const check = (backup: BackupFile.BackupReader, path: string, file: string): number => {
  let version = 0
  try {
    version = inspect(path, Migrations.newest)
  } catch (thrown) {
    if (thrown instanceof StorageUnusable && thrown.reason === "newer-version") {
      throw new RestoreFailed({ path: file, reason: "newer-version", detail: thrown.detail })
    }
    throw damaged(file, `its database cannot be opened (${codeOf(thrown)})`)
  }
  if (version === 0) throw damaged(file, "its database is empty")
  const connection = Driver.open(path, { readonly: true })
  try {
    const verdict = connection.pragma("integrity_check(1)", { simple: true })
    if (verdict !== "ok") throw damaged(file, "its database is not sound")
    if (connection.prepare("PRAGMA foreign_key_check").get() !== undefined) {
      throw damaged(file, "its database has rows that refer to nothing")
    }
    const names = new Set(backup.files.map(({ name }) => name))
    for (const asset of namedAssets(connection)) {
      const name = nameOf(asset)
      if (!names.has(name) && !backup.faults.has(name)) throw damaged(file, `${name} is not in it`)
    }
    return (
      connection.prepare<[], number>("SELECT count(*) FROM session_rows WHERE state <> 'hidden'").pluck().get() ?? 0
    )
  } finally {
    connection.close()
  }
}

/** Restores a backup. */
export const run = Effect.fn("Restore.run")(function* ({ data, file, onProgress }: Options) {
  const folders = yield* Folders
  const path = DataLayout.databaseIn(data)
  const toTyped = (thrown: unknown) =>
    thrown instanceof RestoreFailed
      ? thrown
      : new RestoreFailed({ path: data, reason: "not-written", detail: codeOf(thrown) })
  const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: toTyped })
  const occupied = new RestoreFailed({ path, reason: "occupied", detail: "" })

  if (existsSync(path)) return yield* occupied
  const backup = yield* openBackup(file)
  if (!backup.files.some(({ name }) => name === DataLayout.databaseName)) return yield* damaged(file, "it is not whole")
  const stranger = backup.files.find(({ name }) => !isKnown(name))
  if (stranger !== undefined) return yield* damaged(file, "it holds files that Skein does not name so")

  yield* attempt(() => FolderCreation.make(data))
  const workplace = yield* Workplace.make(data, "restore").pipe(Effect.catchAllDefect((thrown) => toTyped(thrown)))
  yield* attempt(() => mkdirSync(join(workplace, "assets"), { mode: 0o700 }))
  const total = backup.files.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  const made = new Set<string>()
  for (const stored of backup.files) {
    const target = join(workplace, stored.name)
    const folder = dirname(target)
    yield* attempt(() => FolderCreation.make(folder))
    made.add(folder)
    const isWhole = yield* backup
      .extract(stored, target)
      .pipe(
        Effect.mapError((thrown) =>
          codeOf(thrown).startsWith("SQLITE_") ? damaged(file, codeOf(thrown)) : toTyped(thrown)
        )
      )
    if (!isWhole) return yield* damaged(file, `${stored.name} is not as it was`)
    yield* onProgress((done += stored.size), total)
  }
  const sessions = yield* attempt(() => check(backup, DataLayout.databaseIn(workplace), file))
  const sync = (folder: string) => Effect.mapError(folders.sync(folder), toTyped)
  yield* Effect.forEach([...made, join(workplace, "assets"), workplace], sync)

  const aside = Aside.make(data, yield* Clock.currentTimeMillis)
  const movedAside = yield* attempt(() => {
    if (existsSync(path)) throw occupied
    const inTheWay = [...beside, "assets"].map((name) => join(data, name)).filter((path) => existsSync(path))
    return inTheWay.map(aside.move)
  })
  yield* attempt(() => renameSync(join(workplace, "assets"), join(data, "assets")))
  yield* sync(data)
  yield* attempt(() => {
    if (existsSync(path)) throw occupied
    renameSync(DataLayout.databaseIn(workplace), path)
  })
  yield* sync(data)
  return { sessions, assets: backup.files.length - 1, movedAside, faults: backup.faults } satisfies Restoration
}, Effect.scoped) satisfies (options: Options) => Effect.Effect<Restoration, RestoreFailed, Engines | Folders>
