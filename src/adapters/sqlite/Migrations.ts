/**
 * Brings a database to the newest schema. All missing steps and the marks of the file are written in one transaction,
 * so that a crash leaves the database as it was. When several processes try at the same time, one of them migrates.
 *
 * A database that is not new is migrated only while nothing else has it open, because an engine of an older version
 * would write on into it. That is told by SQLite's own locks, and so holds for engines of all versions.
 *
 * Before a step that rewrites rows, the database is copied to a file next to it. The copy gets its name once the
 * migration is committed, and the path is logged. A migration that fails changes nothing and leaves no copy; of a killed
 * one, the next removes what there is of a copy.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import * as Driver from "./Driver.js"
import { applicationId, inspect, inspectBy } from "./Inspection.js"
import { WorkProgress } from "../../services/WorkProgress.js"
import { Upgrading } from "../../services/storage/Upgrading.js"
import { type Step, steps } from "../../services/storage/sql/schema/Steps.js"
import * as Snapshot from "./Snapshot.js"
import * as Sync from "./Sync.js"
import * as Unusable from "./Unusable.js"
import * as DataLayout from "./DataLayout.js"

/** The version of the newest schema. */
export const newest = steps.length

const attempt = <A>(path: string, run: () => A): Effect.Effect<A, StorageUnusable | StorageFailed> =>
  Effect.try({ try: run, catch: Unusable.fromUnknown(path) })

/** Removes what earlier copies left behind, including their journals, which SQLite would take for the new copy's. */
const removeUnfinished = (path: string): void => {
  const folder = dirname(path)
  for (const name of readdirSync(folder)) {
    if (DataLayout.isUnfinishedCopy(name)) rmSync(join(folder, name), { force: true })
  }
}

/** Copies the database of a connection that nobody else can change. The copy survives a power cut. */
const copyBefore = Effect.fnUntraced(function* (connection: Sqlite.Database, path: string, version: number) {
  const report = yield* WorkProgress
  const onProgress = (done: number, total: number) => (report === null ? Effect.void : report("copy", done, total))
  const target = DataLayout.unfinishedCopyOf(path, version)
  yield* attempt(path, () => removeUnfinished(path)).pipe(
    Effect.zipRight(Effect.mapError(Snapshot.takeBy(connection, target, onProgress), Unusable.fromUnknown(path))),
    Effect.zipRight(attempt(path, () => Sync.folder(dirname(target)))),
    Effect.mapError((error) =>
      error._tag === "StorageFailed"
        ? new StorageFailed({ operation: "copy the database before its migration", code: error.code })
        : error
    )
  )
})

/**
 * Gives the copy that was made before the migration to a version its name, if the process that migrated was killed before
 * it did so. Call it only when that migration is committed.
 */
export const finishCopy = (path: string, version = newest) =>
  Effect.gen(function* () {
    const copy = yield* attempt(path, () => {
      const unfinished = DataLayout.unfinishedCopyOf(path, version)
      const found = statSync(unfinished, { throwIfNoEntry: false })
      if (found === undefined) return null
      const copy = DataLayout.copyOf(path, version, found.mtime.toISOString())
      renameSync(unfinished, copy)
      Sync.folder(dirname(copy))
      return copy
    })
    if (copy === null) return
    const { copied } = yield* Upgrading
    yield* Effect.annotateLogs(Effect.logInfo("copied the database before a migration that rewrites it"), { copy })
    yield* copied(copy)
  })

/** A record of when each step was run. The file's mark decides which steps are missing. */
const table = `CREATE TABLE IF NOT EXISTS "migrations" (
  migration_id integer PRIMARY KEY NOT NULL,
  created_at datetime NOT NULL DEFAULT current_timestamp,
  name VARCHAR(255) NOT NULL
)`

const nameOf = ({ name }: Step): string => name.slice(name.indexOf("_") + 1)

/**
 * Takes the lock, and returns the version. A database that is not new stays closed to all others. No lock is taken when
 * somebody else has already migrated it.
 */
const begin = (connection: Sqlite.Database, path: string, newest: number): number => {
  const found = inspect(path, newest)
  if (found === newest) return newest
  const isNew = found === 0
  // The lock then outlives its transaction.
  if (!isNew) connection.pragma("locking_mode = EXCLUSIVE")
  connection.exec(isNew ? "BEGIN IMMEDIATE" : "BEGIN EXCLUSIVE")
  const version = inspectBy(connection, path, newest)
  if (isNew && version > 0 && version < newest) throw new StorageUnusable({ path, reason: "locked", detail: "" })
  if (!isNew) connection.exec("COMMIT")
  return version
}

/**
 * Fails as locked, without any change, when another process writes, or has a database open that is not new. `all` defaults
 * to the steps of this version.
 */
export const migrate = (
  path: string,
  all: ReadonlyArray<Step> = steps
): Effect.Effect<void, StorageUnusable | StorageFailed> =>
  Effect.gen(function* () {
    const { keepsCopy } = yield* Upgrading
    const connection = yield* Effect.acquireRelease(
      attempt(path, () => Driver.open(path, { fileMustExist: true, timeout: 0 })),
      (connection) => Effect.sync(() => connection.close())
    )
    const run = (statement: string, ...parameters: ReadonlyArray<number | string>) =>
      connection.prepare(statement).run(...parameters)
    const version = yield* attempt(path, () => {
      run("PRAGMA synchronous = FULL")
      return begin(connection, path, all.length)
    })
    if (version === all.length) return
    const missing = all.slice(version)
    const isCopied = keepsCopy && version > 0 && missing.some(({ rewrites }) => rewrites)
    const change = attempt(path, () => {
      if (version > 0) run("BEGIN IMMEDIATE")
      run(table)
      for (const [index, step] of missing.entries()) {
        run("INSERT OR REPLACE INTO migrations (migration_id, name) VALUES (?, ?)", version + index + 1, nameOf(step))
        for (const statement of step.statements) run(statement)
      }
      run(`PRAGMA application_id = ${applicationId}`)
      run(`PRAGMA user_version = ${all.length}`)
      run("COMMIT")
    })
    yield* Effect.when(copyBefore(connection, path, all.length), () => isCopied).pipe(
      Effect.zipRight(change),
      Effect.onError(() => Effect.ignore(attempt(path, () => isCopied && removeUnfinished(path))))
    )
    if (isCopied) yield* finishCopy(path, all.length)
  }).pipe(Effect.scoped)
