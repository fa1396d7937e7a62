/**
 * Brings a database to the newest schema. All missing steps and the marks of the file are written in one transaction,
 * so that a crash leaves the database as it was. When several processes try at the same time, one of them migrates.
 *
 * Before a step that rewrites rows, the database is copied to a file next to it, while nobody else can write. The path
 * is logged. A migration that fails changes nothing and leaves no copy.
 */
import { Clock, DateTime, Effect } from "effect"
import { renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import * as Driver from "./Driver.js"
import { applicationId, inspect } from "./Inspection.js"
import { WorkProgress } from "../../services/WorkProgress.js"
import { type Step, steps } from "../../services/storage/sql/schema/Steps.js"
import * as Snapshot from "./Snapshot.js"
import * as Sync from "./Sync.js"
import * as Unusable from "./Unusable.js"
import * as DataLayout from "./DataLayout.js"

/** The version of the newest schema. */
export const newest = steps.length

const attempt = <A>(path: string, run: () => A): Effect.Effect<A, StorageUnusable | StorageFailed> =>
  Effect.try({ try: run, catch: Unusable.fromUnknown(path) })

/** Removes what an earlier copy left behind, including its journal, which SQLite would take for the new copy's. */
const removeUnfinished = (unfinished: string): void =>
  ["", ...DataLayout.endings].forEach((ending) => rmSync(unfinished + ending, { force: true }))

/** Copies the database at `path` and returns the path of the copy. The caller holds the write lock. */
const copyBefore = Effect.fnUntraced(function* (path: string, version: number) {
  const now = DateTime.formatIso(DateTime.unsafeMake(yield* Clock.currentTimeMillis))
  const unfinished = DataLayout.unfinishedCopyOf(path)
  const copy = DataLayout.copyOf(path, version, now)
  const report = yield* WorkProgress
  const onProgress = (done: number, total: number) => (report === null ? Effect.void : report("copy", done, total))
  yield* attempt(path, () => removeUnfinished(unfinished)).pipe(
    Effect.zipRight(Effect.mapError(Snapshot.take(path, unfinished, onProgress), Unusable.fromUnknown(path))),
    Effect.zipRight(
      attempt(path, () => {
        renameSync(unfinished, copy)
        Sync.folder(dirname(copy))
      })
    ),
    Effect.mapError((error) =>
      error._tag === "StorageFailed"
        ? new StorageFailed({ operation: "copy the database before its migration", code: error.code })
        : error
    ),
    Effect.onError(() => Effect.ignore(attempt(path, () => removeUnfinished(unfinished))))
  )
  yield* Effect.annotateLogs(Effect.logInfo("copied the database before a migration that rewrites it"), { copy })
  return copy
})

/** A record of when each step was run. The file's mark decides which steps are missing. */
const table = `CREATE TABLE IF NOT EXISTS "migrations" (
  migration_id integer PRIMARY KEY NOT NULL,
  created_at datetime NOT NULL DEFAULT current_timestamp,
  name VARCHAR(255) NOT NULL
)`

const nameOf = ({ name }: Step): string => name.slice(name.indexOf("_") + 1)

/** Fails as locked, without any change, when another process writes. `all` defaults to the steps of this version. */
export const migrate = (
  path: string,
  all: ReadonlyArray<Step> = steps
): Effect.Effect<void, StorageUnusable | StorageFailed> =>
  Effect.gen(function* () {
    const connection = yield* Effect.acquireRelease(
      attempt(path, () => Driver.open(path, { fileMustExist: true, timeout: 0 })),
      (connection) => Effect.sync(() => connection.close())
    )
    const run = (statement: string, ...parameters: ReadonlyArray<number | string>) =>
      connection.prepare(statement).run(...parameters)
    const version = yield* attempt(path, () => {
      run("PRAGMA synchronous = FULL")
      run("BEGIN IMMEDIATE")
      return inspect(path, all.length)
    })
    const missing = all.slice(version)
    const copy = version > 0 && missing.some(({ rewrites }) => rewrites) ? yield* copyBefore(path, all.length) : null
    yield* attempt(path, () => {
      run(table)
      for (const [index, step] of missing.entries()) {
        run("INSERT OR REPLACE INTO migrations (migration_id, name) VALUES (?, ?)", version + index + 1, nameOf(step))
        for (const statement of step.statements) run(statement)
      }
      run(`PRAGMA application_id = ${applicationId}`)
      run(`PRAGMA user_version = ${all.length}`)
      run("COMMIT")
    }).pipe(Effect.onError(() => Effect.ignore(attempt(path, () => copy !== null && rmSync(copy, { force: true })))))
  }).pipe(Effect.scoped)
