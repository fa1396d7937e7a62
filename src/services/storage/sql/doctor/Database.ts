/** What a doctor needs of a database to check and repair it, for SQLite and PostgreSQL alike. */
import { Effect, Exit, type Option } from "effect"
import type { Asset } from "../../../../domain/Asset.js"
import type { SessionId } from "../../../../domain/Session.js"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Parameter } from "../Database.js"
import type { Query } from "../Query.js"
import type { Table } from "../Table.js"
import type { Finding, SessionKey } from "./Finding.js"
import type * as Rows from "./Rows.js"

/** The files of assets, and what their names say about rows. */
export interface Files {
  /** The columns of an asset's row as far as files tell them. `all` are the rows of its session. */
  readonly told: (sessionId: SessionId, row: Rows.Row, all: ReadonlyArray<Rows.Row>) => Rows.Row
  /** The session whose folder contains one of these files. */
  readonly sessionOf: (files: ReadonlySet<string>) => Option.Option<SessionId>
  readonly hasFolder: (sessionId: SessionId) => boolean
  /** Checks the files of a session's assets. */
  readonly check: (
    session: SessionKey,
    assets: ReadonlyArray<Asset>
  ) => Effect.Effect<ReadonlyArray<Finding>, StorageFailed>
}

/** Runs an effect in one transaction, which is rolled back if the effect fails. A nested one joins the outer one. */
type Transaction = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StorageFailed, R>

/** Transactions on one connection. Each starts with the statement `begin` and then the effect `first`. */
export const transactions = (run: Database["run"]) => {
  let isWithin = false
  return (begin: string, first: Effect.Effect<unknown, StorageFailed> = Effect.void): Transaction =>
    (effect) =>
      Effect.suspend(() =>
        isWithin
          ? effect
          : Effect.acquireUseRelease(
              Effect.map(run(begin), () => (isWithin = true)),
              () => Effect.zipLeft(Effect.zipRight(first, effect), run("COMMIT")),
              (_, exit) => {
                isWithin = false
                return Exit.isSuccess(exit) ? Effect.void : Effect.ignore(run("ROLLBACK"))
              }
            )
      )
}

/** The code of a repair that was refused because an engine is working on the session. */
export const inUse = "IN_USE"

export interface Database {
  /** Where the database is, for people. */
  readonly path: string
  /** Reads rows. An integer beyond the safe range of a number is a bigint. */
  readonly query: Query
  /** Changes rows, if the database is open for repairs. */
  readonly run: (text: string, ...parameters: ReadonlyArray<Parameter>) => Effect.Effect<unknown, StorageFailed>
  /** A transaction that only reads. */
  readonly snapshot: Transaction
  /** A transaction that changes rows of one session, or with null of several. Fails with the code `inUse`. */
  readonly repair: (session: SessionKey | null) => Transaction
  /** Null when files are not checked. */
  readonly files: Files | null
  /** Tables that exist only in this kind of database. */
  readonly ownTables: ReadonlyArray<Table>
}

/** Keeps what a repair replaces. Both functions return the path at which it is now. */
export interface Aside {
  /** Writes a value as JSON under this name. */
  readonly keep: (name: string, value: unknown) => Effect.Effect<string, StorageFailed>
  readonly move: (path: string) => Effect.Effect<string, StorageFailed>
}
