/**
 * Replaces a damaged database with a new one that has everything that could be read. The damaged one is moved aside
 * whole, with its log.
 *
 * The new database has the schema of the damaged one, so that an older one is migrated like any other:
 *
 *   1. the new database is written, checked and synced;
 *   2. all other processes are kept out, and nothing may have been written since the beginning;
 *   3. the old file gets a second name in `aside`, its log is moved there, and both are synced;
 *   4. one rename puts the new database in its place.
 *
 * After a kill between 3 and 4 the old database has two names. No engine opens such a database, and the doctor reports it.
 */
import { Effect } from "effect"
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { dirname } from "node:path"
import { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import { type Step, steps } from "../../../services/storage/sql/schema/Steps.js"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import * as Migrations from "../Migrations.js"
import * as Header from "../pages/Header.js"
import * as Sync from "../Sync.js"
import * as FreshProcess from "./FreshProcess.js"
import { repairResult } from "../../../services/storage/sql/doctor/Finding.js"
import * as Salvage from "./Salvage.js"
import * as SchemaCheck from "./SchemaCheck.js"
import type { Aside } from "../Aside.js"

/** A text that changes when anybody writes to the database. */
const stampOf = (path: string): string =>
  DataLayout.partsOf(path)
    .filter((part) => !part.endsWith(DataLayout.sharedMemoryEnding))
    .map((part) => statSync(part, { bigint: true }))
    .map(({ mtimeNs, size }) => `${size} ${mtimeNs}`)
    .join(", ")

const failed = (thrown: unknown) =>
  thrown instanceof StorageUnusable || thrown instanceof StorageFailed
    ? thrown
    : new StorageFailed({ operation: "rebuild the database", code: codeOf(thrown) })

const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: failed })

/** The files of an unfinished rebuild: the new database, and the copy that it is made from. */
const namesOf = (rebuilt: string) => ({ rebuilt, source: `${rebuilt}.source` })

/** Removes the files of an unfinished rebuild. */
const removeUnfinished = (path: string): void =>
  Object.values(namesOf(path)).forEach((name) =>
    ["", ...DataLayout.endings].forEach((ending) => rmSync(name + ending, { force: true }))
  )

/**
 * Copies a damaged database with everything that was committed: SQLite writes the log into the copy when it closes it,
 * however damaged the rest is. Returns the version of its schema; null when that cannot be read.
 */
const copyOf = (from: string, to: string): number | null => {
  for (const part of [from, ...[DataLayout.logEnding, DataLayout.journalEnding].map((end) => from + end)]) {
    if (existsSync(part)) copyFileSync(part, to + part.slice(from.length), constants.COPYFILE_FICLONE)
  }
  Header.mend(to)
  const connection = Driver.open(to, { fileMustExist: true })
  try {
    return SchemaCheck.versionOf(connection)
  } catch {
    return null
  } finally {
    connection.close()
  }
}

/** The steps that made a schema of this version; all of them when the version is invalid. */
const stepsOf = (version: number | null): ReadonlyArray<Step> =>
  version !== null && version > 0 && version < steps.length ? steps.slice(0, version) : steps

/** Creates a new database with this schema. */
const begin = (path: string, schema: ReadonlyArray<Step>) =>
  attempt(() => {
    closeSync(openSync(path, "wx", 0o600))
    const connection = Driver.open(path, {})
    connection.pragma("auto_vacuum = INCREMENTAL")
    connection.exec("VACUUM")
    connection.close()
  }).pipe(Effect.zipRight(Migrations.migrate(path, schema)))

/**
 * Fills the new database. Fails when no session can be read: then the damaged database must stay where it is, as other
 * means may still be able to read it.
 */
const fill = (source: string, path: string): Salvage.SalvageResult => {
  const target = Driver.open(path, { fileMustExist: true })
  try {
    target.pragma("foreign_keys = OFF")
    // It is synced once, when it is complete.
    target.pragma("synchronous = OFF")
    target.exec("BEGIN IMMEDIATE")
    const salvaged = Salvage.copy(source, target)
    if (salvaged === null) throw new StorageFailed({ operation: "rebuild the database", code: "NO_SESSION_READ" })
    target.exec("COMMIT")
    if (target.pragma("integrity_check(1)", { simple: true }) !== "ok") {
      throw new StorageFailed({ operation: "rebuild the database", code: "SQLITE_CORRUPT" })
    }
    return salvaged
  } finally {
    target.close()
  }
}

const exchange = (path: string, rebuilt: string, aside: Aside): string => {
  const beside = DataLayout.partsOf(path).filter((part) => part !== path)
  const kept = DataLayout.databaseIn(aside.folder())
  try {
    linkSync(path, kept)
  } catch {
    // On file systems where a file cannot have two names.
    beside.map(aside.move)
    aside.move(path)
  }
  beside.filter((part) => existsSync(part)).map(aside.move)
  aside.sync()
  renameSync(rebuilt, path)
  Sync.folder(dirname(path))
  return kept
}

/**
 * Writes everything that can be read of the database at `from` into a new one at `to`, and syncs it. Fails, and leaves
 * nothing at `to`, when no session can be read. `from` is only read, and nobody may write to it meanwhile. Rows of the new
 * database may still be wrong or missing. @internal
 */
export const salvage = ({
  from,
  to
}: {
  readonly from: string
  readonly to: string
}): Effect.Effect<Salvage.SalvageResult, StorageUnusable | StorageFailed> =>
  Effect.gen(function* () {
    const { source } = namesOf(to)
    yield* attempt(() => removeUnfinished(to))
    const version = yield* attempt(() => copyOf(from, source))
    yield* begin(to, stepsOf(version))
    const salvaged = yield* attempt(() => fill(source, to))
    yield* attempt(() => rmSync(source))
    yield* attempt(() => Sync.file(to))
    return salvaged
  }).pipe(Effect.onError(() => Effect.sync(() => removeUnfinished(to))))

/** Rebuilds the database at `path`. Fails as locked while another process has it open. */
export const run = (path: string, aside: Aside) =>
  Effect.gen(function* () {
    yield* Effect.scoped(FreshProcess.hold(path))
    const rebuilt = DataLayout.rebuiltOf(path)
    const before = yield* attempt(() => stampOf(path))
    const salvaged = yield* salvage({ from: path, to: rebuilt })
    yield* FreshProcess.hold(path)
    if ((yield* attempt(() => stampOf(path))) !== before) return yield* FreshProcess.inUse(path)
    const kept = yield* attempt(() => exchange(path, rebuilt, aside))
    const { recovered, sessions, unread } = salvaged
    return repairResult({ recovered, sessions, lost: unread, aside: [kept] })
  }).pipe(
    Effect.onError(() => Effect.sync(() => removeUnfinished(DataLayout.rebuiltOf(path)))),
    Effect.scoped
  )
