/**
 * A backup of a data folder that may be in use: the database as it was at one instant, and the content of every asset
 * that it names, in one file.
 *
 * Guaranteed:
 * - The file is whole, synced and read again before it gets its name, and no file is ever overwritten.
 * - A backup that fails or is interrupted leaves nothing. The next backup into the same folder removes what a killed one
 *   left.
 * - The engines that use the database never wait for a backup.
 * - Damage does not stop a backup: whatever is damaged is copied as it is, and reported.
 *
 * Files of assets are written once, so only a deletion can interfere: a missing file is looked for in a later state of
 * the database, which names it only if it is really missing. If all of them are, the copy stays. Otherwise that state is
 * copied instead, once the files that it names are there: nothing needs to live for longer than the newest files take.
 * Where the database is damaged, files that no row names are backed up too, because a repair may find out whose they are.
 *
 * The database comes first in the file, for whoever has only the beginning of it. With many hundred files or pieces, the
 * index over them moves on with the file, and its beginning is not enough.
 */
import type Sqlite from "better-sqlite3"
import { Clock, Effect } from "effect"
import { existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs"
import { open } from "node:fs/promises"
import { dirname, join } from "node:path"
import { StorageUnusable } from "../../../domain/SkeinError.js"
import { Folders } from "../../../services/Folders.js"
import type { Engines } from "../../../services/Engines.js"
import { codeOf } from "../../ErrorCode.js"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import * as Unusable from "../Unusable.js"
import { BackupFailed } from "./BackupError.js"
import { attempt, attemptAsync, type OnBytes, type StoredFile } from "./BackupFile.js"
import * as BackupReader from "./BackupReader.js"
import * as BackupWriter from "./BackupWriter.js"
import * as DatabaseCopy from "./DatabaseCopy.js"
import * as Examination from "./Examination.js"
import type { Examiner, Remark } from "./Examiner.js"
import * as NamedAssets from "./NamedAssets.js"
import * as Workplace from "./Workplace.js"

export interface Options {
  /** The data folder, which has the assets. */
  readonly data: string
  /** Its database, or a copy of it. */
  readonly database: string
  /** Absolute paths in one folder; the backup gets the first that is free. */
  readonly files: readonly [string, ...ReadonlyArray<string>]
  /** Called with the number of bytes done, and the approximate total. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>
}

export interface Backup {
  readonly file: string
  /** Bytes. */
  readonly size: number
  readonly sessions: number
  readonly assets: number
  /** What is damaged in the database. */
  readonly damage: ReadonlyArray<Remark>
  /** Assets whose content is missing or was changed. */
  readonly faults: ReadonlyArray<NamedAssets.Fault>
}

/** How often the database is looked at, at most, because assets were deleted meanwhile. */
const maxLooks = 100

const patiently = Unusable.retryWhileLocked(30_000)

/**
 * Codes that mean that a copy could not be written, not that its original could not be read, whose shared memory was
 * there before.
 */
const ofWriting = /^(?:SQLITE_(?:FULL|IOERR_(?:WRITE|FSYNC|DIR_FSYNC|TRUNCATE|DELETE|SHM[A-Z]+))|E[A-Z]+)$/

const notWritten = (path: string, detail: string) => new BackupFailed({ path, reason: "not-written", detail })

const toTyped = (file: string) => (thrown: unknown) =>
  thrown instanceof BackupFailed || thrown instanceof StorageUnusable ? thrown : notWritten(file, codeOf(thrown))

/** Returns the number that a query selects, or 0 if its pages cannot be read. */
const numberOr0 = (database: Sqlite.Database, query: string): number => {
  try {
    return database.prepare<[], number>(query).pluck().get() ?? 0
  } catch {
    return 0
  }
}

/** Returns a database's version, its size and the size of its assets, before anything is copied. */
const measure = (path: string) => {
  const version = inspect(path, Migrations.newest)
  if (version === 0) throw new BackupFailed({ path, reason: "no-database", detail: "" })
  const database = Driver.open(path, { readonly: true, fileMustExist: true, timeout: 0 })
  try {
    const pragma = (name: string) => Number(database.pragma(name, { simple: true }))
    return {
      version,
      database: pragma("page_count") * pragma("page_size"),
      assets: numberOr0(database, "SELECT sum(size) FROM assets")
    }
  } finally {
    database.close()
  }
}

const opened = (path: string) => (thrown: unknown) => {
  if (thrown instanceof BackupFailed) return thrown
  const error = Unusable.fromUnknown(path)(thrown)
  return error._tag === "StorageFailed" ? new BackupFailed({ path, reason: "unreadable", detail: error.code }) : error
}

/** Returns how many sessions a copied database holds. */
const sessionsIn = (path: string) =>
  Effect.acquireUseRelease(
    attempt(() => Driver.open(path, { readonly: true })),
    (database) => attempt(() => numberOr0(database, "SELECT count(*) FROM session_rows WHERE state <> 'hidden'")),
    (database) => Effect.sync(() => database.close())
  )

const isSubset = (set: ReadonlySet<string>, of: ReadonlySet<string>) => [...set].every((name) => of.has(name))

interface Work {
  readonly options: Options
  readonly workplace: string
  readonly writer: BackupWriter.BackupWriter
  readonly version: number
  readonly onBytes: OnBytes
}

/** The first copy of the database stays: what it names and is not there is really missing. */
const stays = Symbol("stays")

/** Fills the backup and completes it. */
const fill = Effect.fnUntraced(function* ({ onBytes, options, version, workplace, writer }: Work) {
  const { data, database: path, files } = options
  const [file] = files
  const copy = DataLayout.databaseIn(workplace)
  const added = new Map<string, StoredFile>()
  const add = (name: string) =>
    writer.add(name, join(data, name), onBytes).pipe(
      Effect.map((stored) => void added.set(name, stored)),
      Effect.catchIf(
        (thrown) => codeOf(thrown) === "ENOENT",
        () => Effect.void
      ),
      Effect.mapError((thrown) =>
        codeOf(thrown).startsWith("SQLITE_")
          ? thrown
          : new BackupFailed({ path: join(data, name), reason: "unreadable", detail: codeOf(thrown) })
      )
    )
  const addAll = Effect.fnUntraced(function* (names: Iterable<string>) {
    for (const name of names) if (!added.has(name)) yield* add(name)
  })
  const missingOf = (named: NamedAssets.Named) => new Set([...named.keys()].filter((name) => !added.has(name)))
  const take = (target: string, steps: Omit<DatabaseCopy.Steps<unknown>, "onBytes">) =>
    DatabaseCopy.take(path, target, { ...steps, onBytes }).pipe(
      Effect.mapError((error) => {
        if (!(error instanceof DatabaseCopy.CopyFailed)) return error
        const { code, isOpen } = error
        return isOpen && ofWriting.test(code) ? notWritten(file, code) : opened(path)({ code })
      }),
      patiently
    )

  let named = yield* take(copy, { onFound: () => Effect.void, isTaken: () => Effect.succeed(true) })
  const database = yield* writer.add(DataLayout.databaseName, copy, onBytes)
  yield* addAll(named.keys())
  const missingFirst = missingOf(named)
  let before = missingFirst
  let looks = 0
  const isTaken = Effect.fnUntraced(function* (named: NamedAssets.Named) {
    const missing = missingOf(named)
    if (isSubset(missingFirst, missing)) return yield* Effect.fail(stays)
    if (isSubset(missing, before)) return true
    before = missing
    if (++looks < maxLooks) return false
    return yield* new BackupFailed({ path: file, reason: "changing", detail: `${missing.size} at last` })
  })
  if (missingFirst.size > 0) {
    const later = `${copy}.later`
    const found = yield* take(later, { onFound: (found) => addAll(found.keys()), isTaken }).pipe(
      Effect.catchIf(
        (error) => error === stays,
        () => Effect.succeed(null)
      )
    )
    if (found !== null) {
      named = found
      yield* attempt(() => renameSync(later, copy))
      yield* writer.drop(database)
      yield* writer.add(DataLayout.databaseName, copy, onBytes)
    }
  }
  const damage = yield* Examination.ofCopy(copy, version)
  const unnamed = damage.length > 0 ? yield* NamedAssets.inFolder(data) : []
  yield* addAll(unnamed)
  const names = new Set([...named.keys(), ...unnamed])
  for (const file of added.values()) if (!names.has(file.name)) yield* writer.drop(file)
  const faults = NamedAssets.faultsOf(named, (name) => added.get(name)?.sha256)
  for (const { detail, name } of faults) writer.fault(name, detail)
  const sessions = yield* sessionsIn(copy)
  const madeAt = yield* Clock.currentTimeMillis
  yield* attempt(() => writer.finish(madeAt))
  const assets = [...names].filter((name) => added.has(name)).length
  return { sessions, assets, faults, damage: Examination.relocated(damage, workplace, data) }
})

const sync = (path: string) =>
  Effect.acquireUseRelease(
    attemptAsync(() => open(path, "r+")),
    (file) => attemptAsync(() => file.sync()),
    (file) => Effect.promise(() => file.close())
  )

/** Reads a finished backup again, every byte of it. */
const verify = (path: string, file: string, onBytes: OnBytes) =>
  Effect.acquireUseRelease(
    attempt(() => BackupReader.open(path, { isSalvage: false })),
    (reader) =>
      Effect.gen(function* () {
        const differs = notWritten(file, "what was written is not what is read back; check the disk")
        if (typeof reader === "string") return yield* differs
        for (const stored of reader.files) if (!(yield* reader.isWhole(stored, onBytes))) return yield* differs
      }),
    (reader) => Effect.sync(() => typeof reader !== "string" && reader.close())
  )

/** Renames the file to the first name that is free, and returns that name; null when none is free. */
const place = (from: string, files: ReadonlyArray<string>): string | null => {
  for (const file of files) {
    try {
      linkSync(from, file)
      rmSync(from)
      return file
    } catch (thrown) {
      if (codeOf(thrown) === "EEXIST") continue
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(thrown)) || existsSync(file)) throw thrown
      renameSync(from, file)
      return file
    }
  }
  return null
}

/** Backs up a data folder. */
export const make = Effect.fn("Backup.make")(function* (options: Options) {
  const { database: path, files, onProgress } = options
  const [file] = files
  const folders = yield* Folders
  const folder = dirname(file)
  const exists = new BackupFailed({ path: file, reason: "exists", detail: "" })

  if (files.every((file) => existsSync(file))) return yield* exists
  if (!existsSync(path)) return yield* new BackupFailed({ path, reason: "no-database", detail: "" })
  const noFolder = (detail: string) => new BackupFailed({ path: folder, reason: "no-folder", detail })
  const target = yield* Effect.try({ try: () => statSync(folder), catch: (thrown) => noFolder(codeOf(thrown)) })
  if (!target.isDirectory()) return yield* noFolder("ENOTDIR")
  const found = yield* patiently(Effect.try({ try: () => measure(path), catch: opened(path) }))
  const total = 3 * found.database + 2 * found.assets
  let done = 0
  const onBytes: OnBytes = (bytes) => Effect.suspend(() => onProgress((done += bytes), total))

  const workplace = yield* Effect.mapError(Workplace.make(folder, "backup"), (thrown) => noFolder(codeOf(thrown)))
  return yield* Effect.gen(function* () {
    const unfinished = join(workplace, "backup")
    const writer = yield* Effect.acquireRelease(
      attempt(() => BackupWriter.create(unfinished)),
      (writer) => Effect.sync(writer.close)
    )
    const filled = yield* fill({ options, workplace, writer, version: found.version, onBytes })
    yield* sync(unfinished)
    yield* verify(unfinished, file, onBytes)
    const { size } = yield* attempt(() => statSync(unfinished))
    const placing = attempt(() => place(unfinished, files)).pipe(Effect.zipLeft(Effect.ignore(folders.sync(folder))))
    const placed = yield* Effect.uninterruptible(placing)
    if (placed === null) return yield* exists
    return { ...filled, file: placed, size } satisfies Backup
  }).pipe(Effect.mapError(toTyped(file)))
}, Effect.scoped) satisfies (
  options: Options
) => Effect.Effect<Backup, BackupFailed | StorageUnusable, Engines | Examiner | Folders>
