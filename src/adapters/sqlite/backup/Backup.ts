/**
 * A backup of a data folder that may be in use: the database as it was at one instant, and the content of every asset
 * that it names, in one file.
 *
 * Guaranteed:
 * - The file is whole and synced before it has its name, and no file is ever overwritten.
 * - A backup that fails or is interrupted leaves nothing. The next backup into the same folder removes what a killed one
 *   left.
 * - The engines that use the database never wait for a backup.
 * - Content that is missing or was changed since it was saved does not stop the backup; it is reported.
 *
 * Files of assets are written once, so only a deletion can interfere: a missing file is looked for in a new snapshot,
 * which names it only if it is really missing.
 */
import type Sqlite from "better-sqlite3"
import { Clock, Effect, Either, Schema } from "effect"
import { existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { Asset } from "../../../domain/Asset.js"
import { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import { Folders } from "../../../services/Folders.js"
import type { Engines } from "../../../services/Engines.js"
import * as Driver from "../Driver.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import * as Snapshot from "../Snapshot.js"
import * as Sync from "../Sync.js"
import * as Unusable from "../Unusable.js"
import { codeOf } from "../../ErrorCode.js"
import { BackupFailed } from "./BackupError.js"
import * as BackupFile from "./BackupFile.js"
import * as Workplace from "./Workplace.js"
import * as DataLayout from "../DataLayout.js"

export interface Options {
  /** The data folder. */
  readonly data: string
  /** The file to write: an absolute path. */
  readonly file: string
  /** Called with the number of bytes done, and about how many there are. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>
}

export interface Backup {
  /** Bytes. */
  readonly size: number
  readonly sessions: number
  readonly assets: number
  /** Content that is missing or was changed: its path below the data folder, and which of the two. */
  readonly faults: ReadonlyArray<{ readonly name: string; readonly detail: string }>
}

/** Most snapshots that are taken because assets were deleted meanwhile. */
const maxSnapshots = 20

const page = 500

interface Row {
  readonly ordinal: number
}

const decodeAsset = Schema.decodeUnknownEither(Asset)

/** The assets of a snapshot whose rows decode. */
export const namedAssets = function* (snapshot: Sqlite.Database): Generator<Asset> {
  const select = snapshot.prepare<[number, number], Row>(
    `SELECT assets.ordinal, assets.id, session_rows.id AS sessionId, assets.name, media_type AS mediaType, size, sha256,
       assets.created_at AS createdAt
     FROM assets JOIN session_rows ON session_rows.ordinal = assets.session
     WHERE session_rows.state <> 'hidden' AND assets.ordinal > ? ORDER BY assets.ordinal LIMIT ?`
  )
  for (let last = -1, rows = select.all(last, page); rows.length > 0; rows = select.all(last, page)) {
    for (const row of rows) {
      last = row.ordinal
      const asset = decodeAsset(row)
      if (Either.isRight(asset)) yield asset.right
    }
  }
}

/** An asset's path below the data folder, with slashes. */
export const nameOf = (asset: Asset): string => `assets/${AssetNames.folder(asset.sessionId)}/${AssetNames.file(asset)}`

const patiently = Unusable.retryWhileLocked(30_000)

const openSnapshot = (path: string, target: string) =>
  Effect.acquireRelease(
    patiently(
      Effect.try({
        try: () => {
          rmSync(target, { force: true })
          Snapshot.take(path, target)
          return Driver.open(target, { readonly: true })
        },
        catch: Unusable.fromUnknown(path)
      })
    ),
    (connection) => Effect.sync(() => connection.close())
  )

const number = (connection: Sqlite.Database, query: string): number =>
  connection.prepare<[], number>(query).pluck().get() ?? 0

interface Writer {
  readonly options: Options
  readonly path: string
  readonly workplace: string
  readonly target: BackupFile.BackupWriter
}

/**
 * Adds the assets of one snapshot that were not added yet, and returns which are missing. `isLast` decides by them
 * whether the snapshot itself is added, which completes the backup.
 */
const addSnapshot = Effect.fnUntraced(function* (
  { options, path, target, workplace }: Writer,
  added: Map<string, BackupFile.StoredFile>,
  isLast: (missing: ReadonlySet<string>) => boolean
) {
  const { data, onProgress } = options
  const copy = join(workplace, "snapshot")
  const snapshot = yield* openSnapshot(path, copy)
  const copySize = statSync(copy).size
  const total = copySize + number(snapshot, "SELECT coalesce(sum(size), 0) FROM assets")
  let done = [...added.values()].reduce((sum, { size }) => sum + size, 0)
  const onBytes = (bytes: number) => Effect.suspend(() => onProgress((done += bytes), total))
  const names = new Set<string>()
  const missing = new Set<string>()
  const faults: Array<Backup["faults"][number]> = []
  for (const asset of namedAssets(snapshot)) {
    const name = nameOf(asset)
    names.add(name)
    if (!added.has(name)) {
      const file = yield* target.add(name, join(data, name), onBytes).pipe(
        Effect.catchAll((thrown) => {
          if (codeOf(thrown) === "ENOENT") return Effect.succeed(null)
          const isReading = !codeOf(thrown).startsWith("SQLITE_")
          return failed(options, isReading ? `cannot read ${join(data, name)} (${codeOf(thrown)})` : codeOf(thrown))
        })
      )
      if (file === null) missing.add(name)
      else added.set(name, file)
    }
    const file = added.get(name)
    if (file === undefined) faults.push({ name, detail: "missing" })
    else if (file.sha256 !== asset.sha256) faults.push({ name, detail: "changed since it was saved" })
  }
  if (!isLast(missing)) return { missing, backup: null }
  for (const file of added.values()) if (!names.has(file.name)) target.drop(file)
  yield* target.add(DataLayout.databaseName, copy, onBytes)
  for (const { detail, name } of faults) target.fault(name, detail)
  target.finish(yield* Clock.currentTimeMillis)
  const sessions = number(snapshot, "SELECT count(*) FROM session_rows WHERE state <> 'hidden'")
  return { missing, backup: { sessions, assets: names.size - missing.size, faults } }
}, Effect.scoped)

const failed = ({ file }: Options, detail: string) => new BackupFailed({ path: file, reason: "not-written", detail })

const isSubset = (set: ReadonlySet<string>, of: ReadonlySet<string>) => [...set].every((name) => of.has(name))

/** Renames the file, unless the name is taken. */
const place = (from: string, file: string): void => {
  try {
    linkSync(from, file)
    rmSync(from)
  } catch (thrown) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(thrown)) || existsSync(file)) throw thrown
    renameSync(from, file)
  }
}

const isTyped = (thrown: unknown): thrown is BackupFailed | StorageUnusable | StorageFailed =>
  thrown instanceof BackupFailed || thrown instanceof StorageUnusable || thrown instanceof StorageFailed

/** Backs a data folder up. */
export const make = Effect.fn("Backup.make")(function* (options: Options) {
  const { data, file } = options
  const folders = yield* Folders
  const path = DataLayout.databaseIn(data)
  const folder = dirname(file)
  const unwritten = (thrown: unknown) => failed(options, codeOf(thrown))
  const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: unwritten })
  const exists = new BackupFailed({ path: file, reason: "exists", detail: "" })

  if (existsSync(file)) return yield* exists
  if (!existsSync(path)) return yield* new BackupFailed({ path, reason: "no-database", detail: "" })
  const inspection = Effect.try({ try: () => inspect(path, Migrations.newest), catch: Unusable.fromUnknown(path) })
  const schema = yield* patiently(inspection)
  if (schema === 0) return yield* new BackupFailed({ path, reason: "no-database", detail: "" })
  yield* attempt(() => statSync(folder))

  const workplace = yield* Workplace.make(folder, "backup").pipe(Effect.catchAllDefect((thrown) => unwritten(thrown)))
  const unfinished = join(workplace, basename(file))
  const target = yield* Effect.acquireRelease(
    attempt(() => BackupFile.create(unfinished)),
    (target) => Effect.sync(target.close)
  )
  const added = new Map<string, BackupFile.StoredFile>()
  let before: ReadonlySet<string> = new Set()
  for (let count = 1; ; count++) {
    const { backup, missing } = yield* addSnapshot({ options, path, workplace, target }, added, (missing) =>
      isSubset(missing, before)
    ).pipe(Effect.mapError((thrown) => (isTyped(thrown) ? thrown : unwritten(thrown))))
    if (backup !== null) {
      yield* attempt(() => Sync.file(unfinished))
      const { size } = yield* attempt(() => statSync(unfinished))
      yield* Effect.try({
        try: () => place(unfinished, file),
        catch: (thrown) => (codeOf(thrown) === "EEXIST" ? exists : unwritten(thrown))
      })
      yield* Effect.ignore(folders.sync(folder))
      return { ...backup, size } satisfies Backup
    }
    if (count === maxSnapshots) {
      return yield* new BackupFailed({ path: file, reason: "changing", detail: `${missing.size} at last` })
    }
    before = missing
  }
}, Effect.scoped) satisfies (
  options: Options
) => Effect.Effect<Backup, BackupFailed | StorageUnusable | StorageFailed, Engines | Folders>
