/**
 * Brings a database to the newest schema: every step that it lacks in one transaction together with the marks that say
 * what the file is, so that a crash leaves it as it was. Several processes may try at once; one of them does it.
 *
 * A step that rewrites what is stored is not run before a copy of the database stands beside it, taken while nobody
 * else can write; the log says where. A migration that fails leaves no copy, as it changed nothing.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { Migrator, SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Clock, DateTime, Effect } from "effect"
import { renameSync, rmSync } from "node:fs"
import { StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import { applicationId, inspect } from "./Inspection.js"
import { type Step, steps } from "../../services/storage/sql/schema/Steps.js"
import * as Snapshot from "./Snapshot.js"
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

/** Copies the database at `path`, whose write lock the caller holds. Gives where the copy is. */
const copyBefore = Effect.fnUntraced(function* (path: string, version: number) {
  const now = DateTime.formatIso(DateTime.unsafeMake(yield* Clock.currentTimeMillis))
  const unfinished = DataLayout.unfinishedCopyOf(path)
  const copy = DataLayout.copyOf(path, version, now)
  yield* attempt(path, () => {
    rmSync(unfinished, { force: true })
    Snapshot.take(path, unfinished)
    renameSync(unfinished, copy)
  }).pipe(
    Effect.mapError((error) =>
      error._tag === "StorageFailed"
        ? new StorageFailed({ operation: "copy the database before its migration", code: error.code })
        : error
    ),
    Effect.onError(() => Effect.sync(() => rmSync(unfinished, { force: true })))
  )
  yield* Effect.annotateLogs(Effect.logInfo("copied the database before a migration that rewrites it"), { copy })
  return copy
})

/** Fails as locked when another process writes: then nothing was done. `all` are the steps, by default those of this version. */
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
