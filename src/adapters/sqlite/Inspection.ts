/**
 * Finds out what a file is before anything is changed in it. Our databases have the mark `applicationId`. An empty
 * database without a mark is new: it was just created, perhaps by a process that is still working on it.
 *
 * The file is opened for reading only and stays as it was, byte for byte. One exception: if the last writer died in the
 * middle and outside WAL mode, SQLite has to undo the unfinished change before it can read the file.
 */
import type Sqlite from "better-sqlite3"
import { StorageUnusable } from "../../domain/SkeinError.js"
import * as Driver from "./Driver.js"

/** "skei" */
export const applicationId = 0x736b6569

/** Returns the file's schema version, 0 for a new file. Throws a `StorageUnusable`, or SQLite's own error. */
export const inspect = (path: string, newestSchema: number): number => judge(path, read(path), newestSchema)

/** The same through a connection, in whose transaction the answer holds until its end. */
export const inspectBy = (connection: Sqlite.Database, path: string, newestSchema: number): number =>
  judge(path, marksBy(connection), newestSchema)

const judge = (path: string, { applicationId: mark, schema, tables }: Marks, newestSchema: number): number => {
  if (mark === 0 && schema === 0 && tables === 0) return 0
  if (mark !== applicationId) throw new StorageUnusable({ path, reason: "foreign-database", detail: "" })
  if (schema > newestSchema) throw newerVersion(path, schema, newestSchema)
  return schema
}

export const newerVersion = (path: string, schema: number, newestSchema: number): StorageUnusable =>
  new StorageUnusable({ path, reason: "newer-version", detail: `${schema}, at most ${newestSchema} is known` })

interface Marks {
  readonly applicationId: number
  readonly schema: number
  readonly tables: number
}

const read = (path: string): Marks => {
  try {
    return readBy(path, true)
  } catch (thrown) {
    if (Driver.isError(thrown) && thrown.code === "SQLITE_READONLY_ROLLBACK") return readBy(path, false)
    throw thrown
  }
}

const readBy = (path: string, readonly: boolean): Marks => {
  const connection = Driver.open(path, { readonly, fileMustExist: true, timeout: 0 })
  try {
    connection.exec("BEGIN")
    return marksBy(connection)
  } finally {
    connection.close()
  }
}

const marksBy = (connection: Sqlite.Database): Marks => {
  const number = (query: string): number => connection.prepare<[], number>(query).pluck().get() ?? 0
  return {
    applicationId: number("PRAGMA application_id"),
    schema: number("PRAGMA user_version"),
    tables: number("SELECT count(*) FROM sqlite_schema")
  }
}
