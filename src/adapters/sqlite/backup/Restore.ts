/**
 * Restores a backup into a data folder that has no database.
 *
 * Guaranteed:
 * - Everything is written, synced and checked (digests, and a doctor's check of the database) before anything is put in
 *   place. So there is always either no database or the whole one. A restore that fails or is interrupted leaves the
 *   folder as it was, and removes any folder that it has created.
 * - A sound backup comes back bit for bit. A damaged backup is refused; a salvage takes what can be read of it, has the
 *   doctor repair that before it is put in place, and reports what was kept and lost.
 * - Nothing is deleted: whatever is in the way is moved aside, and so is whatever a repair replaces.
 */
import { Clock, Effect, Exit } from "effect"
import { existsSync, mkdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { Folders } from "../../../services/Folders.js"
import type { Engines } from "../../../services/Engines.js"
import { codeOf } from "../../ErrorCode.js"
import * as FolderCreation from "../../node/FolderCreation.js"
import * as DataLayout from "../DataLayout.js"
import { RestoreFailed } from "./BackupError.js"
import { attempt, type OnBytes, type StoredFile } from "./BackupFile.js"
import * as BackupReader from "./BackupReader.js"
import * as Examination from "./Examination.js"
import type { Examiner, Remark } from "./Examiner.js"
import * as NamedAssets from "./NamedAssets.js"
import * as Placing from "./Placing.js"
import * as RestoredDatabase from "./RestoredDatabase.js"
import * as Workplace from "./Workplace.js"

export interface Options {
  /** The data folder. It is created if it does not exist. */
  readonly data: string
  /** The backup to read: an absolute path. */
  readonly file: string
  /** Whether a damaged backup is restored as far as it can be read. */
  readonly isSalvage: boolean
  /** Called with the number of bytes done, and the total. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>
}

export interface Restoration {
  readonly sessions: number
  readonly assets: number
  /** The new paths of the things that were in the way. */
  readonly movedAside: ReadonlyArray<string>
  /** What was damaged, what became of it, and what that means for each session. Empty when nothing was damaged. */
  readonly remarks: ReadonlyArray<Remark>
  readonly kept: ReadonlyArray<RestoredDatabase.Kept>
  /** Whether the database has the bytes that were backed up. If not, a text may differ that is still a valid one. */
  readonly isExact: boolean
}

const damaged = (path: string, detail: string) => new RestoreFailed({ path, reason: "damaged", detail })

/** Nothing but a file is opened: SQLite would wait for what somebody writes into a pipe. */
const ofFile = (path: string) =>
  Effect.try({
    try: () => statSync(path),
    catch: (thrown) => new RestoreFailed({ path, reason: "no-file", detail: codeOf(thrown) })
  }).pipe(
    Effect.filterOrFail(
      (found) => found.isFile(),
      (found) =>
        found.isDirectory()
          ? new RestoreFailed({ path, reason: "no-file", detail: "EISDIR" })
          : new RestoreFailed({ path, reason: "not-a-backup", detail: "" })
    )
  )

const openBackup = (path: string, isSalvage: boolean) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => BackupReader.open(path, { isSalvage }),
      catch: (thrown) => {
        const code = codeOf(thrown)
        if (code === "SQLITE_NOTADB") return new RestoreFailed({ path, reason: "not-a-backup", detail: code })
        if (code.startsWith("SQLITE_CANTOPEN")) return new RestoreFailed({ path, reason: "no-file", detail: code })
        return isSalvage ? new RestoreFailed({ path, reason: "beyond-salvage", detail: code }) : damaged(path, code)
      }
    }).pipe(
      Effect.filterOrElse(
        (found) => typeof found !== "string",
        (found) => new RestoreFailed({ path, reason: found === "newer" ? "newer-version" : "not-a-backup", detail: "" })
      )
    ),
    (backup) => Effect.sync(() => backup.close())
  )

/** Creates the data folder. If the restore fails, every folder that was created for it is removed. */
const makeFolder = (data: string) =>
  Effect.gen(function* () {
    const { removeEmpty } = yield* Folders
    const missing = FolderCreation.missing(data)
    yield* Effect.addFinalizer((exit) =>
      Exit.isSuccess(exit) ? Effect.void : Effect.ignore(Effect.forEach(missing, removeEmpty))
    )
    yield* attempt(() => FolderCreation.make(data))
  })

/** Returns all problems in one line: their number, and the first of them. */
const summary = (texts: ReadonlyArray<string>): string =>
  texts.length === 1 ? (texts[0] ?? "") : `${texts.length} problems, the first: ${texts[0] ?? ""}`

const textOf = ({ detail, name, session }: NamedAssets.Fault): string => `session ${session}: ${name} is ${detail}`

/** Restores a backup. */
export const run = Effect.fn("Restore.run")(function* ({ data, file, isSalvage, onProgress }: Options) {
  const folders = yield* Folders
  if (existsSync(DataLayout.databaseIn(data))) return yield* Placing.occupied(data)
  yield* ofFile(file)
  const backup = yield* openBackup(file, isSalvage)
  const stored = backup.files.find(({ name }) => name === DataLayout.databaseName)
  const assets = backup.files.filter((file) => file !== stored && NamedAssets.isName(file.name))
  if (!isSalvage && backup.files.length !== assets.length + 1) {
    return yield* damaged(
      file,
      stored === undefined ? "it is not whole" : "it contains files with names that Skein does not use"
    )
  }
  if (stored === undefined)
    return yield* new RestoreFailed({ path: file, reason: "beyond-salvage", detail: "it has no database" })

  return yield* Effect.gen(function* () {
    yield* makeFolder(data)
    const workplace = yield* Workplace.make(data, "restore", Placing.reclaim(data))
    const path = DataLayout.databaseIn(workplace)
    yield* attempt(() => mkdirSync(join(workplace, "assets"), { mode: 0o700 }))
    const total = backup.files.reduce((sum, { size }) => sum + size, 0)
    let done = 0
    const onBytes: OnBytes = (bytes) => Effect.suspend(() => onProgress((done += bytes), total))
    const made = new Set([join(workplace, "assets"), workplace])

    /** Extracts a file. Returns whether it is as it was. */
    const extract = (stored: StoredFile) =>
      Effect.gen(function* () {
        const target = join(workplace, stored.name)
        yield* attempt(() => FolderCreation.make(dirname(target)))
        made.add(dirname(target))
        const isWhole = yield* Effect.mapError(backup.extract(stored, target, onBytes), (thrown) =>
          codeOf(thrown).startsWith("SQLITE_") ? damaged(file, codeOf(thrown)) : thrown
        )
        if (!isWhole && !isSalvage) return yield* damaged(file, `${stored.name} is not as it was`)
        return isWhole
      })

    const isExact = yield* extract(stored)
    let isWhole = isExact
    const told = RestoredDatabase.versionOf(path, file)
    // A repair may correct the version in a damaged header, so the version is read again after it.
    const version = yield* isSalvage ? Effect.orElseSucceed(told, () => null) : told
    const damage = version === null ? [] : yield* RestoredDatabase.look(path, version)
    const named = yield* RestoredDatabase.assetsOf(path)
    const digests = new Map(assets.map(({ name, sha256 }) => [name, sha256]))
    const faults = NamedAssets.faultsOf(named, (name) => digests.get(name))
    const problems = [
      ...(version === null ? ["its database cannot be opened"] : []),
      ...Examination.relocated(damage, `${workplace}/`, "").map(({ text }) => text),
      ...faults.map(textOf)
    ]
    if (problems.length > 0 && !isSalvage) return yield* damaged(file, summary(problems))
    for (const asset of assets) isWhole = (yield* extract(asset)) && isWhole
    const remarks = isWhole && problems.length === 0 ? [] : yield* RestoredDatabase.repair(workplace, file)
    const { kept, sessions } = yield* RestoredDatabase.contentsOf(path, remarks)
    yield* Effect.forEach(made, folders.sync)
    const movedAside = yield* Placing.place(workplace, data, yield* Clock.currentTimeMillis)
    return {
      sessions,
      assets: assets.length,
      movedAside,
      remarks: Examination.relocated(remarks, workplace, data),
      kept,
      isExact
    } satisfies Restoration
  }).pipe(
    Effect.mapError((thrown) =>
      thrown instanceof RestoreFailed
        ? thrown
        : new RestoreFailed({ path: data, reason: "not-written", detail: codeOf(thrown) })
    )
  )
}, Effect.scoped) satisfies (
  options: Options
) => Effect.Effect<Restoration, RestoreFailed, Engines | Examiner | Folders>
