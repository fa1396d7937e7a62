/**
 * The database of a data folder in SQLite: the file `skein.db` in WAL mode, created if it is missing.
 *
 * - A file that is not ours, or that this version cannot use, is refused and stays as it was. Nothing is created when
 *   SQLite itself cannot be used.
 * - While another process holds a lock, opening is tried again for `busyMaxMillis`. The event loop never waits.
 * - On closing, the log is written back. The reader closes first, because the last connection must be allowed to remove
 *   the log.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Layer } from "effect"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { DataDirectory } from "../../services/DataDirectory.js"
import { Database } from "../../services/storage/sql/Database.js"
import { EngineConfig } from "../../services/EngineConfig.js"
import { Upgrading } from "../../services/storage/Upgrading.js"
import * as DataLayout from "./DataLayout.js"
import * as Driver from "./Driver.js"
import { inspect, newerVersion } from "./Inspection.js"
import * as Migrations from "./Migrations.js"
import * as Openers from "./Openers.js"
import * as SqliteFile from "./SqliteFile.js"
import * as SqliteWriter from "./SqliteWriter.js"
import * as Unusable from "./Unusable.js"

/** How many pages the log holds before a commit writes it back, and how many bytes it is then cut to. */
const checkpointPages = 1000
const logBytes = 64 * 1024 * 1024

const connect = (file: SqliteFile.SqliteFile, synchronous: "FULL" | "NORMAL", isNew: boolean): Sqlite.Database => {
  const { path } = file
  const connection = Driver.open(path, { fileMustExist: true, timeout: 0 })
  try {
    if (SqliteFile.isReplaced(file)) throw new StorageUnusable({ path, reason: "replaced", detail: "" })
    assertPragma(connection, "synchronous", synchronous, synchronous === "FULL" ? 2 : 1)
    if (isNew) connection.pragma("auto_vacuum = INCREMENTAL")
    assertPragma(connection, "journal_mode", "WAL", "wal")
    assertPragma(connection, "foreign_keys", "ON", 1)
    connection.pragma(`wal_autocheckpoint = ${checkpointPages}`)
    connection.pragma(`journal_size_limit = ${logBytes}`)
    return connection
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

/** Sets a pragma and checks that it took effect. */
const assertPragma = (connection: Sqlite.Database, name: string, value: string, expected: string | number): void => {
  connection.pragma(`${name} = ${value}`)
  if (connection.pragma(name, { simple: true }) !== expected) {
    throw new StorageFailed({ operation: `set ${name}`, code: "SQLITE_ERROR" })
  }
}

/**
 * The first statement opens the log. Until then the connection does not hold the log, and SQLite would remove it when
 * the writer is discarded.
 */
const openReader = (path: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => Driver.open(path, { readonly: true, fileMustExist: true, timeout: 0 }),
      catch: Unusable.fromUnknown(path)
    }),
    (connection) => Effect.sync(() => connection.close())
  ).pipe(
    Effect.map(SqliteWriter.make),
    Effect.tap((reader) =>
      Effect.try({ try: () => reader.all("SELECT 1 FROM sqlite_schema"), catch: Unusable.fromUnknown(path) })
    )
  )

/** Migrates a database of an older version once nothing else has it open. */
const upgrade = Effect.fnUntraced(function* (path: string, busyMaxMillis: number) {
  const { patienceMillis } = yield* Upgrading
  const patiently = Unusable.retryWhileLocked(patienceMillis ?? busyMaxMillis)
  yield* Effect.mapError(patiently(Migrations.migrate(path)), (error) =>
    error._tag === "StorageUnusable" && error.reason === "locked"
      ? new StorageUnusable({ path, reason: "in-use", detail: Openers.named(path) })
      : error
  )
})

/** The open writer. */
interface Open {
  readonly connection: Sqlite.Database
  readonly writer: ReturnType<typeof SqliteWriter.make>
  /** Its `foreignVersion` when it last looked at the version of the schema. */
  seen: number | null
}

const make = Effect.gen(function* () {
  const directory = yield* DataDirectory
  const { busyMaxMillis, synchronous } = yield* EngineConfig
  const patiently = Unusable.retryWhileLocked(busyMaxMillis)

  const attempt = <A>(path: string, run: () => A) => Effect.try({ try: run, catch: Unusable.fromUnknown(path) })

  yield* attempt(directory, () => Driver.check(DataLayout.databaseIn(directory)))
  const file = yield* attempt(directory, () => SqliteFile.prepare(directory))
  const { path } = file
  const inspection = attempt(path, () => inspect(path, Migrations.newest))
  const schema = yield* patiently(inspection)

  let open: Open | null = null
  const openWriter = (isNew: boolean) =>
    attempt(path, () => {
      const connection = connect(file, synchronous, isNew)
      return (open = { connection, writer: SqliteWriter.make(connection), seen: null }).writer
    })
  const discard = Effect.sync(() => {
    open?.connection.close()
    open = null
  })
  yield* Effect.addFinalizer(() => discard)
  // A database that is not new is migrated only while nothing has it open.
  if (schema === 0) yield* patiently(openWriter(true))
  if (schema < Migrations.newest) {
    yield* schema === 0 ? patiently(Migrations.migrate(path)) : upgrade(path, busyMaxMillis)
    const reached = yield* patiently(inspection)
    if (reached !== Migrations.newest) {
      return yield* new StorageFailed({ operation: "migrate the database", code: "SQLITE_SCHEMA" })
    }
  } else yield* Effect.ignore(Migrations.finishCopy(path))
  if (schema > 0) yield* patiently(openWriter(false))

  /** The version is read only after others have committed, so writes that nobody comes between cost no more. */
  const newerSchema = (): number | null => {
    if (open === null) return null
    const commits = open.writer.foreignVersion()
    if (commits === open.seen) return null
    const version = open.writer.schemaVersion()
    open.seen = commits
    return version > Migrations.newest ? version : null
  }
  let refusal: StorageUnusable | null = null
  const outdated = () => {
    const version = refusal === null ? newerSchema() : null
    if (version !== null) refusal = newerVersion(path, version, Migrations.newest)
    return refusal
  }

  const reader = yield* patiently(openReader(path))
  const beside = SqliteFile.beside(file)
  const checkpoint = attempt(path, () => open?.connection.pragma("wal_checkpoint(TRUNCATE)"))
  yield* Effect.addFinalizer(() => Effect.ignore(checkpoint))

  return Database.of({
    path,
    writer: Effect.suspend(() => (open === null ? openWriter(false) : Effect.succeed(open.writer))),
    discard,
    isReplaced: () => [file, ...beside].some(SqliteFile.isReplaced),
    outdated,
    reader
  })
})

export const layer: Layer.Layer<Database, StorageUnusable | StorageFailed, DataDirectory> = Layer.scoped(Database, make)
