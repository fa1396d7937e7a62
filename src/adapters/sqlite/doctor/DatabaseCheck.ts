/**
 * Checks that the database's file is a database, and that its pages are sound. When a page looks damaged, a fresh process
 * checks the file again: a failed read makes a healthy file look damaged, and is never enough to act on.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Either } from "effect"
import { existsSync, readdirSync, statSync } from "node:fs"
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
import { type Finding, make } from "../../../services/storage/sql/doctor/Finding.js"
import * as FreshProcess from "./FreshProcess.js"
import * as SchemaCheck from "./SchemaCheck.js"
import type { Look } from "../../../services/storage/sql/doctor/Treatment.js"

const closed = (finding: Finding): Look => ({ findings: [finding], isSound: false })

/** The second name of a database whose repair was killed half-way. */
const twinOf = (path: string): string | undefined => {
  const folder = join(dirname(path), asideName)
  if (!existsSync(folder)) return undefined
  const { ino } = statSync(path)
  return readdirSync(folder)
    .map((time) => DataLayout.databaseIn(join(folder, time)))
    .find((twin) => statSync(twin, { throwIfNoEntry: false })?.ino === ino)
}

/** The smallest possible database, in bytes. */
const smallestPage = 512

/** The finding of a look at the file from outside; null when it may be a database. */
const fromOutside = (path: string): Finding | null => {
  const file = statSync(path)
  const { nlink, size } = file
  if (!file.isFile()) return make("not-a-file", { path })
  if (size === 0) {
    return [DataLayout.logEnding, DataLayout.journalEnding].some((end) => DataLayout.hasBytes(path + end))
      ? make("not-a-database", { path, why: "log-only" })
      : make("database-empty", { path })
  }
  if (size < smallestPage) return make("not-a-database", { path, why: "too-short" })
  if (nlink === 1) return null
  const twin = twinOf(path)
  return twin === undefined ? make("many-names", { path, count: nlink }) : make("half-repaired", { path, twin })
}

/** Without problems of single values, which the check of rows finds by itself. */
const notOfRows = (problems: ReadonlyArray<string>): ReadonlyArray<string> =>
  problems.filter((problem) => !/^(?:ok|(?:NULL|[\w-]+) value in [\w.]+|CHECK constraint failed in \w+)$/.test(problem))

const problemsOf = (connection: Sqlite.Database): ReadonlyArray<string> => {
  try {
    return notOfRows(connection.prepare<[], string>("PRAGMA integrity_check(1000)").pluck().all())
  } catch (thrown) {
    return [codeOf(thrown)]
  }
}

/** Reads through a connection of its own. */
const reading = <A>(path: string, read: (connection: Sqlite.Database) => A) =>
  Effect.scoped(Effect.flatMap(forLooking(path), (connection) => attempt("read", () => read(connection))))

/** SQLITE_IOERR, the low byte of all codes of failed reads. */
const ioError = 10

/** Whether the problem is a failed read, which says nothing about the stored bytes. */
const isReadError = (problem: string): boolean => {
  const [, code] = /error code=(\d+)/.exec(problem) ?? []
  return problem.startsWith("SQLITE_IOERR") || (code !== undefined && (Number(code) & 0xff) === ioError)
}

/** A file without a valid header is a damaged database if it or its log contains the name of a table of Skein. */
const withoutHeader = (path: string, problem: string): Finding =>
  [path, path + DataLayout.logEnding].some((file) => Header.contains(file, sessionRows.name))
    ? make("pages-damaged", { path, problem })
    : make("not-a-database", { path, why: "no-header" })

/** Has a second process check a file that looked damaged. Only problems that it sees itself count as damage. */
const lookAgain = (path: string, first: string): Effect.Effect<Finding> =>
  Effect.map(FreshProcess.look(path), (look): Finding => {
    const readError = (second: "sound" | "no-answer" | "unread") => make("read-error", { path, first, second })
    if (look._tag === "NoAnswer") return readError("no-answer")
    if (look._tag === "Refused" && look.code === "SQLITE_NOTADB") return withoutHeader(path, look.code)
    const problems = look._tag === "Looked" ? notOfRows(look.problems) : [look.code]
    const [problem] = problems
    if (problem === undefined) return readError("sound")
    const isUnread = problems.some(isReadError) || (look._tag === "Refused" && !problem.startsWith("SQLITE_CORRUPT"))
    return isUnread ? readError("unread") : make("pages-damaged", { path, problem })
  })

const mayBeDamage = (error: StorageUnusable | StorageFailed): boolean =>
  error._tag === "StorageUnusable"
    ? error.reason === "damaged" || error.reason === "not-a-database"
    : error.code.startsWith("SQLITE_IOERR")

/** Whether the error comes from the marks in the header, which may be damaged themselves. */
const isOfMarks = (error: StorageUnusable | StorageFailed): boolean =>
  error._tag === "StorageUnusable" && (error.reason === "foreign-database" || error.reason === "newer-version")

const refused = (path: string, error: StorageUnusable | StorageFailed): Finding =>
  error._tag === "StorageUnusable"
    ? make("unusable", { path: error.path, reason: error.reason, detail: error.detail })
    : make("unreadable", { path, operation: error.operation, code: error.code })

/** Checks the file, which must exist. Fails on a full disk, where SQLite cannot read. */
export const check = (path: string): Effect.Effect<Look, StorageFailed> =>
  Effect.gen(function* () {
    // While it is being created, a database is empty and has a log for an instant.
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
    const told = yield* Effect.orElseSucceed(reading(path, SchemaCheck.versionOf), () => null)
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
    const [problem] = yield* Effect.catchAll(reading(path, problemsOf), ({ message }) => Effect.succeed([message]))
    if (problem !== undefined) return closed(yield* lookAgain(path, problem))
    if (version < newest) return closed(make("older-version", { path, version, newest }))
    const names = yield* Effect.orElseSucceed(reading(path, SchemaCheck.check), () => [])
    if (names.length > 0) return closed(make("schema-changed", { path, names }))
    const log = path + DataLayout.logEnding
    return { findings: DataLayout.hasBytes(log) ? [make("log-in-use", { path: log })] : [], isSound: true }
  })
