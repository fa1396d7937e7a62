/**
 * Brings a database to the newest schema. All missing steps and the marks of the file are written in one transaction,
 * so that a crash leaves the database as it was. Of several processes that try at once, one does it.
 *
 * Before a step that rewrites rows, the database is copied to a file beside it, while nobody else can write. The path is
 * logged. A migration that fails changes nothing and leaves no copy.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { Migrator, SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Clock, DateTime, Effect } from "effect"
import { renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import { applicationId, inspect } from "./Inspection.js"
import { WorkProgress } from "../../services/WorkProgress.js"
import { type Step, steps } from "../../services/storage/sql/schema/Steps.js"
import * as Snapshot from "./Snapshot.js"
import * as Sync from "./Sync.js"
import * as Unusable from "./Unusable.js"
import * as DataLayout from "./DataLayout.js"

/** The version of the newest schema. */
export const newest = steps.length

const runStep = ({ statements }: Step) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
  )

const attempt = <A>(path: string, run: () => A): Effect.Effect<A, StorageUnusable | StorageFailed> =>
  Effect.try({ try: run, catch: Unusable.fromUnknown(path) })

/** Removes what an earlier copy has left, its journal too: SQLite would take that for the new copy's. */
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
    Effect.zipRight(Effect.mapError(Snapshot.takeInSteps(path, unfinished, onProgress), Unusable.fromUnknown(path))),
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
    Effect.onError(() => Effect.sync(() => removeUnfinished(unfinished)))
  )
  yield* Effect.annotateLogs(Effect.logInfo("copied the database before a migration that rewrites it"), { copy })
  return copy
})

/** Fails as locked, with nothing done, when another process writes. `all` defaults to the steps of this version. */
export const migrate = (
  path: string,
  all: ReadonlyArray<Step> = steps
): Effect.Effect<void, StorageUnusable | StorageFailed> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, disableWAL: true })
    const connection = yield* client.reserve
    const run = (statement: string) => connection.executeUnprepared(statement, [], undefined)
    yield* run("PRAGMA busy_timeout = 0")
    yield* run("PRAGMA synchronous = FULL")
    yield* run("BEGIN IMMEDIATE")
    const version = yield* attempt(path, () => inspect(path, all.length))
    const isCopied = version > 0 && all.slice(version).some(({ rewrites }) => rewrites)
    const copy = isCopied ? yield* copyBefore(path, all.length) : null
    yield* Migrator.make({})({
      loader: Migrator.fromRecord(Object.fromEntries(all.map((step) => [step.name, runStep(step)]))),
      table: "migrations"
    }).pipe(
      Effect.provideService(SqlClient.SqlClient, client),
      Effect.provideService(SqlClient.TransactionConnection, [connection, 0]),
      Effect.zipRight(run(`PRAGMA application_id = ${applicationId}`)),
      Effect.zipRight(run(`PRAGMA user_version = ${all.length}`)),
      Effect.onError(() => Effect.sync(() => copy !== null && rmSync(copy, { force: true })))
    )
    yield* run("COMMIT")
  }).pipe(
    Effect.scoped,
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    Effect.catchAllCause((cause) => Effect.fail(Unusable.fromCause(path)(cause)))
  )
