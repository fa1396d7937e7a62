/**
 * The database port: one connection that writes, one that reads snapshots.
 *
 * - Both are synchronous: between two statements of one function nothing else runs, so no other statement lands in our
 *   transaction, and nothing is awaited inside one. Only the write lane makes changes.
 * - A failed statement is reported by a code, never by its text or its parameters.
 * - What only one database can do has a name here (`releaseSpace`, `foreignVersion`, the kinds of failures). Statements
 *   are SQL with positional parameters.
 */
import { Clock, Context, Data, Effect, Schedule } from "effect"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"

export type Parameter = string | number | bigint | null | Uint8Array

/** Runs statements immediately. Each throws `SqlFailure` when it fails. `Row` names the columns that are selected. */
export interface Sql {
  /** Returns the number of rows that were changed. */
  readonly run: (statement: string, ...parameters: ReadonlyArray<Parameter>) => number
  /** Returns the first row. */
  readonly get: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => Row | undefined
  readonly all: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => ReadonlyArray<Row>
  /** Gives the space of removed rows back to the file system. Bounded: calling it again gives back more. */
  readonly releaseSpace: () => void
}

/** The connection that reads. Each statement sees one snapshot. */
export interface Reader extends Pick<Sql, "all"> {
  /** The rows as arrays, in the order of the columns. Where rows are many and short, that takes half the time. */
  readonly values: <Row extends ReadonlyArray<unknown>>(
    statement: string,
    ...parameters: ReadonlyArray<Parameter>
  ) => ReadonlyArray<Row>
}

/** The connection that writes. It never waits for a lock: it fails immediately as busy. */
export interface Writer extends Sql {
  readonly inTransaction: () => boolean
  /** Grows with each statement that changes a row or gives space back. */
  readonly changes: () => number
  /** A number that changes when another connection has committed, and does not when this one has. */
  readonly foreignVersion: () => number
}

export type FailureKind =
  /** Another connection holds the lock. A later try may succeed. */
  | "busy"
  /** The statement breaks a constraint and did nothing. The transaction can go on. */
  | "constraint"
  /** No space is left. A COMMIT that fails with it has stored nothing and never will. */
  | "full"
  /** From now on the connection may show rows that are not stored. */
  | "spoilt"
  | "other"

/** Thrown by `Sql`. `code` is the database's own, such as SQLITE_FULL, for messages. */
export class SqlFailure extends Data.TaggedError("SqlFailure")<{
  readonly code: string
  readonly kind: FailureKind
}> {}

/**
 * Delays between tries of a busy database: 1 ms, then longer, up to 14 ms, with jitter so that processes do not collide
 * again.
 */
export const busySchedule = Schedule.exponential("1 millis").pipe(
  Schedule.union(Schedule.spaced("11 millis")),
  Schedule.jittered
)

/** The same for at most `millis` milliseconds, whatever happens to the wall clock. */
export const busyScheduleUpTo = (millis: number) =>
  Effect.map(Clock.currentTimeNanos, (began) =>
    busySchedule.pipe(
      Schedule.whileInputEffect(() =>
        Effect.map(Clock.currentTimeNanos, (now) => Number((now - began) / 1_000_000n) < millis)
      )
    )
  )

export interface Service {
  /** The canonical path of the file. */
  readonly path: string
  /** The open writer; opens a new one after `discard`. */
  readonly writer: Effect.Effect<Writer, StorageUnusable | StorageFailed>
  /** Closes the writer and any open transaction. */
  readonly discard: Effect.Effect<void>
  /** Whether the path, or that of a file next to it, no longer leads to the file that is open. */
  readonly isReplaced: () => boolean
  /**
   * Why this version may not write any more, because a newer one has migrated the database; null as long as it may. In a
   * transaction of the writer the answer holds until its end. Throws `SqlFailure`.
   */
  readonly outdated: () => StorageUnusable | null
  readonly reader: Reader
}

export class Database extends Context.Tag("skein/Database")<Database, Service>() {}
