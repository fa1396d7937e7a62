/**
 * A connection of better-sqlite3 as the port's `Writer`, and as its `Reader`. Statements are prepared once; up to 256 are
 * kept. A statement that cannot be prepared is not kept, so that the next try prepares it again.
 */
import type Sqlite from "better-sqlite3"
import type { Parameter, Reader, Writer } from "../../services/storage/sql/Database.js"
import * as Driver from "./Driver.js"
import * as SqliteFailure from "./SqliteFailure.js"

type Statement = Sqlite.Statement<Array<Parameter>, never>

const keptStatements = 256

/** The most pages by which one call shortens the file. */
const releasedPages = 500

interface Connection extends Writer, Reader {
  /** The schema version that the file is marked with. */
  readonly schemaVersion: () => number
}

export const make = (connection: Sqlite.Database): Connection => {
  const statements = new Map<string, Statement>()
  let changes = 0

  /** SQLite's error without the text of the statement. Anything else is a mistake of ours and stays as it is. */
  const failure = (thrown: unknown): unknown => {
    if (Driver.isError(thrown)) return SqliteFailure.fromCode(thrown.code)
    return connection.open ? thrown : SqliteFailure.fromCode("CLOSED")
  }

  const prepare = (text: string): Statement => {
    const kept = statements.get(text)
    if (kept !== undefined) return kept
    if (statements.size === keptStatements) statements.clear()
    const prepared = connection.prepare<Array<Parameter>, never>(text)
    statements.set(text, prepared)
    return prepared
  }

  const run = (text: string, ...parameters: ReadonlyArray<Parameter>): number => {
    try {
      const changed = prepare(text).run(...parameters).changes
      changes += changed
      return changed
    } catch (thrown) {
      throw failure(thrown)
    }
  }

  const pragma = (name: string): number => {
    try {
      return prepare(`PRAGMA ${name}`).pluck().get() ?? 0
    } catch (thrown) {
      throw failure(thrown)
    }
  }

  return {
    run,
    get: (text, ...parameters) => {
      try {
        const prepared = prepare(text)
        const row = prepared.get(...parameters)
        if (!prepared.readonly && row !== undefined) changes++
        return row
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    all: (text, ...parameters) => {
      try {
        const prepared = prepare(text)
        const rows = prepared.all(...parameters)
        if (!prepared.readonly) changes += rows.length
        return rows
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    values: (text, ...parameters) => {
      try {
        return prepare(text)
          .raw(true)
          .all(...parameters)
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    releaseSpace: () => {
      const pages = Math.min(pragma("freelist_count"), releasedPages)
      for (let page = 0; page < pages; page++) run("PRAGMA incremental_vacuum(1)")
      changes += pages
    },
    foreignVersion: () => pragma("data_version"),
    schemaVersion: () => pragma("user_version"),
    inTransaction: () => connection.inTransaction,
    changes: () => changes
  }
}
