/**
 * A connection of better-sqlite3 as the port's `Writer`. Statements are prepared once and kept, the most recent 256 of
 * them; a statement that could not be prepared is not kept, so that a later try is a real one.
 */
import Sqlite from "better-sqlite3"
import { type Parameter, SqlFailure, type Writer } from "../../services/Database.js"

type Prepared = Sqlite.Statement<Array<Parameter>, never>

const keptStatements = 256

export const make = (connection: Sqlite.Database): Writer => {
  const statements = new Map<string, Prepared>()

  const prepare = (text: string): Prepared => {
    const kept = statements.get(text)
    if (kept !== undefined) return kept
    const prepared = connection.prepare<Array<Parameter>, never>(text)
    for (const oldest of statements.size < keptStatements ? [] : statements.keys()) {
      statements.delete(oldest)
      break
    }
    statements.set(text, prepared)
    return prepared
  }

  return {
    run: (text, ...parameters) => {
      try {
        return prepare(text).run(...parameters).changes
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    get: (text, ...parameters) => {
      try {
        return prepare(text).get(...parameters)
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    all: (text, ...parameters) => {
      try {
        return prepare(text).all(...parameters)
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    inTransaction: () => connection.inTransaction
  }
}

/** What SQLite refused, without the text of the statement; anything else is a mistake of ours and stays as it is. */
const failure = (thrown: unknown): unknown =>
  thrown instanceof Sqlite.SqliteError ? new SqlFailure({ code: thrown.code }) : thrown
