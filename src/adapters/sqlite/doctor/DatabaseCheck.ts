/**
 * What the database's file is, and whether its pages are sound. A page that looks damaged is looked at again by a fresh
 * process: an error on a read shows as damage of a healthy file, and nothing is done on that word alone.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Either } from "effect"
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { sessionRows } from "../../../services/storage/sql/Tables.js"
import { folderName as asideName } from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import { codeOf } from "../../ErrorCode.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import * as Header from "../pages/Header.js"
import * as SqliteFailure from "../SqliteFailure.js"
import * as Unusable from "../Unusable.js"
import { attempt, forLooking } from "./Connection.js"
import { type Finding, make } from "./Finding.js"
import * as FreshProcess from "./FreshProcess.js"
import * as SchemaCheck from "./SchemaCheck.js"

/** What there is to find, and whether its rows can be looked at. */
export interface Look {
  readonly findings: ReadonlyArray<Finding>
  readonly isSound: boolean
}

const closed = (finding: Finding): Look => ({ findings: [finding], isSound: false })

export const hasBytes = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0

/** The database with all that belongs to it. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  ["", ...DataLayout.endings].map((end) => path + end).filter((part) => existsSync(part))

/** The other name of a database whose repair was killed half-way. */
const twinOf = (path: string): string | undefined => {
  const folder = join(dirname(path), asideName)
  if (!existsSync(folder)) return undefined
  const { ino } = statSync(path)
  return readdirSync(folder)
    .map((time) => DataLayout.databaseIn(join(folder, time)))
    .find((twin) => statSync(twin, { throwIfNoEntry: false })?.ino === ino)
}

/** No database is smaller. */
const smallestPage = 512

/** What the system alone tells of the file; null when it may be a database. */
const fromOutside = (path: string): Finding | null => {
  const found = statSync(path)
  const { nlink, size } = found
  if (!found.isFile()) return make("not-a-file", { path })
  if (size === 0) {
    return [DataLayout.logEnding, DataLayout.journalEnding].some((end) => hasBytes(path + end))
      ? make("not-a-database", { path, why: "log-only" })
      : make("database-empty", { path })
  }
  if (size < smallestPage) return make("not-a-database", { path, why: "too-short" })
  if (nlink === 1) return null
  const twin = twinOf(path)
  return twin === undefined ? make("many-names", { path, count: nlink }) : make("half-repaired", { path, twin })
}

/** Whether a value is not what its table takes: rows are looked at by themselves. */
const isOfRow = (problem: string): boolean =>
  /^(?:(?:NULL|[\w-]+) value in [\w.]+|CHECK constraint failed in \w+)$/.test(problem)

const problemsOf = (connection: Sqlite.Database): ReadonlyArray<string> => {
  try {
    return connection
      .prepare<[], string>("PRAGMA integrity_check(1000)")
      .pluck()
      .all()
      .filter((problem) => problem !== "ok" && !isOfRow(problem))
  } catch (thrown) {
    return [codeOf(thrown)]
  }
}

/** SQLITE_IOERR, of which all codes of failed reads are made. */
const ioError = 10

/** Whether a problem is that the disk did not return what is stored, which says nothing of what is stored. */
const isReadError = (problem: string): boolean => {
  const [, code] = /error code=(\d+)/.exec(problem) ?? []
  return problem.startsWith("SQLITE_IOERR") || (code !== undefined && (Number(code) & 0xff) === ioError)
}

const pieceSize = 1024 * 1024

/** Whether a file has a name that each database of Skein's has, and the log of each that is new. */
const namesSessions = (path: string): boolean => {
  if (!hasBytes(path)) return false
  const file = openSync(path, "r")
  try {
    const piece = Buffer.alloc(pieceSize)
    for (let at = 0, length = 1; length > 0; at += pieceSize - sessionRows.name.length) {
      length = readSync(file, piece, 0, pieceSize, at)
      if (piece.subarray(0, length).includes(sessionRows.name)) return true
    }
    return false
  } finally {
    closeSync(file)
  }
}

/** A file that has no header is a database all the same if it names what only Skein's have. */
const withoutHeader = (path: string, problem: string): Finding =>
  [path, path + DataLayout.logEnding].some(namesSessions)
    ? make("pages-damaged", { path, problem })
    : make("not-a-database", { path, why: "no-header" })

/** What a second process says of a file that looked damaged. Only problems that it saw itself count as damage. */
const lookAgain = (path: string, first: string): Effect.Effect<Finding> =>
  Effect.map(FreshProcess.look(path), (look): Finding => {
    const readError = (second: "sound" | "no-answer" | "unread") => make("read-error", { path, first, second })
    if (look._tag === "NoAnswer") return readError("no-answer")
    if (look._tag === "Refused" && look.code === "SQLITE_NOTADB") return withoutHeader(path, look.code)
    const problems =
      look._tag === "Looked" ? look.problems.filter((problem) => problem !== "ok" && !isOfRow(problem)) : [look.code]
    const [problem] = problems
    if (problem === undefined) return readError("sound")
    const isUnread = problems.some(isReadError) || (look._tag === "Refused" && !problem.startsWith("SQLITE_CORRUPT"))
    return isUnread ? readError("unread") : make("pages-damaged", { path, problem })
  })

const mayBeDamage = (error: StorageUnusable | StorageFailed): boolean =>
  error._tag === "StorageUnusable"
    ? error.reason === "damaged" || error.reason === "not-a-database"
    : error.code.startsWith("SQLITE_IOERR")

/** The version that the migrations of a database tell; null when they tell none. */
const toldVersion = (path: string): Effect.Effect<number | null> =>
  Effect.scoped(
    Effect.flatMap(forLooking(path), (connection) => attempt("read", () => SchemaCheck.versionOf(connection)))
  ).pipe(Effect.orElseSucceed(() => null))

/** Whether the marks in the header, of which this is made, may be damaged: they say that the database is somebody else's. */
const isOfMarks = (error: StorageUnusable | StorageFailed): boolean =>
  error._tag === "StorageUnusable" && (error.reason === "foreign-database" || error.reason === "newer-version")

const refused = (path: string, error: StorageUnusable | StorageFailed): Finding =>
  error._tag === "StorageUnusable"
    ? make("unusable", { path: error.path, reason: error.reason, detail: error.detail })
    : make("unreadable", { path, operation: error.operation, code: error.code })

/** Looks at the file, which must exist. Fails on a full disk, on which nothing can be read. */
export const check = (path: string): Effect.Effect<Look, StorageFailed> =>
  Effect.gen(function* () {
    // A database that is just being created is empty for an instant, and has a log.
    if (fromOutside(path)?.kind === "not-a-database") yield* FreshProcess.look(path)
    const outside = fromOutside(path)
    if (outside !== null) return closed(outside)
    const header = Either.try(() => Header.check(path))
    if (Either.isLeft(header)) return closed(yield* lookAgain(path, codeOf(header.left)))
    if (header.right !== null) return closed(withoutHeader(path, `no database has this ${header.right}`))
    const inspection = yield* Effect.either(
      Effect.try({ try: () => inspect(path, Migrations.newest), catch: Unusable.fromUnknown(path) })
    )
    const { newest } = Migrations
    const told = yield* toldVersion(path)
    const isMarked = Either.match(inspection, {
      onLeft: (error) => told === null || told > newest || !isOfMarks(error),
      onRight: (version) => told === null || version === told
    })
    if (!isMarked) return closed(make("marks-damaged", { path }))
    if (Either.isLeft(inspection)) {
      const error = inspection.left
      if (error._tag === "StorageFailed" && SqliteFailure.isOfFullDisk(error.code)) return yield* error
      if (!mayBeDamage(error)) return closed(refused(path, error))
      return closed(yield* lookAgain(path, error._tag === "StorageUnusable" ? error.detail : error.code))
    }
    const version = inspection.right
    if (version === 0) return closed(make("database-new", { path }))
    const [problem] = yield* Effect.scoped(Effect.map(forLooking(path), problemsOf)).pipe(
      Effect.catchAll((error) => Effect.succeed([error.message]))
    )
    if (problem !== undefined) return closed(yield* lookAgain(path, problem))
    if (version < newest) return closed(make("older-version", { path, version, newest }))
    const changed = yield* Effect.scoped(Effect.map(forLooking(path), SchemaCheck.check)).pipe(
      Effect.orElseSucceed(() => [])
    )
    if (changed.length > 0) return closed(make("schema-changed", { path, names: changed }))
    const log = path + DataLayout.logEnding
    return { findings: hasBytes(log) ? [make("log-in-use", { path: log })] : [], isSound: true }
  })
