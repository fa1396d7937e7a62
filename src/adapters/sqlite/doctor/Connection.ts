/** The connections that a doctor looks and repairs through, and the engine's own queries on them. */
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import type { Scope } from "effect"
import { StorageFailed, type StorageUnusable } from "../../../domain/SkeinError.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import * as Unusable from "../Unusable.js"

/** A connection that only reads. It is closed with the scope. */
export const forLooking = (
  path: string
): Effect.Effect<Sqlite.Database, StorageUnusable | StorageFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 5_000 }),
      catch: Unusable.fromUnknown(path)
    }),
    (connection) => Effect.sync(() => connection.close())
  )

/**
 * A connection beside which there is no other: each open one holds a lock on the file for as long as it lives, so that
 * the exclusive one cannot be had. Fails as locked then.
 */
export const forRepair = (path: string): Effect.Effect<Sqlite.Database, StorageUnusable | StorageFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const connection = new Sqlite(path, { fileMustExist: true, timeout: 0 })
        try {
          connection.pragma("locking_mode = EXCLUSIVE")
          connection.pragma("synchronous = FULL")
          connection.pragma("foreign_keys = ON")
          connection.exec("BEGIN EXCLUSIVE; COMMIT")
          return connection
        } catch (thrown) {
          connection.close()
          throw thrown
        }
      },
      catch: Unusable.fromUnknown(path)
    }),
    (connection) => Effect.sync(() => connection.close())
  )

/** The queries of the engine's own storage, on this connection. */
export const queryOn =
  (connection: Sqlite.Database): Query =>
  <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ): Effect.Effect<ReadonlyArray<Row>, StorageFailed> =>
    Effect.try({
      try: () => connection.prepare<Array<string | number | null>, Row>(statement).all(...parameters),
      catch: (thrown) =>
        new StorageFailed({ operation, code: thrown instanceof Sqlite.SqliteError ? thrown.code : "SQLITE_ERROR" })
    })
