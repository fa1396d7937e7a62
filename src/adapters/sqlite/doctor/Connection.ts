/** The connections that a doctor looks and repairs through, its statements, and one moment for several of them. */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import type { Scope } from "effect"
import { StorageFailed, type StorageUnusable } from "../../../domain/SkeinError.js"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import * as Query from "../../../services/storage/sql/Query.js"
import { codeOf } from "../../ErrorCode.js"
import * as Driver from "../Driver.js"
import * as SqliteWriter from "../SqliteWriter.js"
import * as Unusable from "../Unusable.js"

/** A database that is open, and the folder that it is in, with the files of its assets. */
export interface OpenDatabase {
  readonly path: string
  readonly data: string
  readonly connection: Sqlite.Database
}

type ScopedConnection = Effect.Effect<Sqlite.Database, StorageUnusable | StorageFailed, Scope.Scope>

const acquire = (path: string, open: () => Sqlite.Database): ScopedConnection =>
  Effect.acquireRelease(Effect.try({ try: open, catch: Unusable.fromUnknown(path) }), (connection) =>
    Effect.sync(() => connection.close())
  )

/** A connection that only reads. It is closed with the scope. */
export const forLooking = (path: string): ScopedConnection =>
  acquire(path, () => Driver.open(path, { readonly: true, fileMustExist: true, timeout: 5_000 }))

/**
 * A connection beside which there is no other: each open one holds a lock on the file for as long as it lives, so that
 * the exclusive one cannot be had. Fails as locked then.
 */
export const forRepair = (path: string): ScopedConnection =>
  acquire(path, () => {
    const connection = Driver.open(path, { fileMustExist: true, timeout: 0 })
    try {
      connection.pragma("locking_mode = EXCLUSIVE")
      connection.pragma("synchronous = FULL")
      // Rows of a session may be there before the session's own.
      connection.pragma("foreign_keys = OFF")
      connection.exec("BEGIN EXCLUSIVE; COMMIT")
      return connection
    } catch (thrown) {
      connection.close()
      throw thrown
    }
  })

type Statements = Map<string, Sqlite.Statement<Array<Parameter>, never>>

const cache = new WeakMap<Sqlite.Database, Statements>()

/** A statement of this text, prepared once a connection. `Row` names the columns that are selected. */
export const prepared = <Row>(connection: Sqlite.Database, text: string): Sqlite.Statement<Array<Parameter>, Row> => {
  const statements = cache.get(connection) ?? new Map<string, Sqlite.Statement<Array<Parameter>, never>>()
  cache.set(connection, statements)
  const statement = statements.get(text) ?? connection.prepare<Array<Parameter>, never>(text)
  statements.set(text, statement)
  return statement
}

/** Runs what may throw SQLite's error. `operation` is a verb for messages. */
export const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, StorageFailed> =>
  Effect.try({ try: run, catch: (thrown) => new StorageFailed({ operation, code: codeOf(thrown) }) })

/** The queries of the engine's own storage, on this connection. */
export const queryOn = (connection: Sqlite.Database): Query.Query => Query.make(SqliteWriter.make(connection), 0)

/** All that this reads is of one moment, and what it changes is undone if it fails. Within a transaction that is so already. */
export const transaction = <A, E, R>(
  connection: Sqlite.Database,
  name: "snapshot" | "repair",
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StorageFailed, R> =>
  Effect.suspend(() =>
    connection.inTransaction
      ? effect
      : Effect.acquireUseRelease(
          attempt(`begin a ${name}`, () => connection.exec(name === "repair" ? "BEGIN IMMEDIATE" : "BEGIN")),
          () =>
            Effect.zipLeft(
              effect,
              attempt(`commit a ${name}`, () => connection.exec("COMMIT"))
            ),
          () => Effect.sync(() => connection.inTransaction && connection.exec("ROLLBACK"))
        )
  )
