/** A database as a doctor looks at it and repairs it, whichever it is. */
import { Effect, Exit, type Option } from "effect"
import type { Asset } from "../../../../domain/Asset.js"
import type { SessionId } from "../../../../domain/Session.js"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Parameter } from "../Database.js"
import type { Query } from "../Query.js"
import type { Table } from "../Table.js"
import type { Finding, SessionKey } from "./Finding.js"
import type * as Rows from "./Rows.js"

/** The files of assets, and what their names tell of rows. */
export interface Files {
  /** The columns of an asset's row; none when they are not told. `all` are the rows of its session. */
  readonly told: (sessionId: SessionId, row: Rows.Row, all: ReadonlyArray<Rows.Row>) => Rows.Row
  /** The session whose folder has one of these files. */
  readonly sessionOf: (files: ReadonlySet<string>) => Option.Option<SessionId>
  readonly hasFolder: (sessionId: SessionId) => boolean
  /** Looks at the files of a session's assets. */
  readonly check: (
    session: SessionKey,
    assets: ReadonlyArray<Asset>
  ) => Effect.Effect<ReadonlyArray<Finding>, StorageFailed>
}

/** What is done within it is of one moment, and undone if it fails. One within another is a part of it. */
type Transaction = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StorageFailed, R>

/** Transactions on one connection. Each begins with a statement, and with what else it needs. */
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

/** The code of a repair that is refused because an engine is at work on the session. */
export const inUse = "IN_USE"

export interface Database {
  /** Where it is, for people. */
  readonly path: string
  /** Reads. An integer that JavaScript cannot hold is a bigint. */
  readonly query: Query
  /** Changes rows, if it is open for that. */
  readonly run: (text: string, ...parameters: ReadonlyArray<Parameter>) => Effect.Effect<unknown, StorageFailed>
  /** For looking. */
  readonly snapshot: Transaction
  /** For changing rows of a session, or of several. Fails with the code `inUse`. */
  readonly repair: (session: SessionKey | null) => Transaction
  /** Null where nobody looks at files. */
  readonly files: Files | null
  /** Tables that only this kind of database has. */
  readonly ownTables: ReadonlyArray<Table>
}

/** The place for what a repair replaces. Both return the path of what is now there. */
export interface Aside {
  /** Writes a value as JSON under a name. */
  readonly keep: (name: string, value: unknown) => Effect.Effect<string, StorageFailed>
  readonly move: (path: string) => Effect.Effect<string, StorageFailed>
}
