/**
 * The database port: one connection that writes, one client that reads snapshots.
 *
 * The writer is synchronous, as SQLite's own interface is: between two statements of one function nothing else can run,
 * so no foreign statement lands in a transaction of ours and nothing is waited for inside one. Only the write lane may
 * change anything through it. Whoever sees a statement fail gets a code, never the statement or its parameters.
 */
import type { SqlClient } from "@effect/sql"
import { Clock, Context, Data, Effect, Schedule } from "effect"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"

export type Parameter = string | number | bigint | null | Uint8Array

/** Runs statements at once. Each throws `SqlFailure` when SQLite refuses. `Row` names the columns that are selected. */
export interface Sql {
  /** Gives the number of rows that were changed. */
  readonly run: (statement: string, ...parameters: ReadonlyArray<Parameter>) => number
  /** Gives the first row. */
  readonly get: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => Row | undefined
  readonly all: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => ReadonlyArray<Row>
}

/** The connection that writes. It never waits for a lock: it fails as busy at once. */
export interface Writer extends Sql {
  readonly inTransaction: () => boolean
  /** Grows with each statement that changes a row. */
  readonly changes: () => number
}

/** Thrown by `Sql`. `code` is SQLite's own, such as SQLITE_FULL. */
export class SqlFailure extends Data.TaggedError("SqlFailure")<{ readonly code: string }> {}

/** Somebody else holds the lock; a later try may succeed. */
export const isBusy = (code: string): boolean => code.startsWith("SQLITE_BUSY")

/** For those who try again: waits 1 ms, then longer, up to 14 ms; each a little shorter or longer, so that processes do not meet again. */
export const busySchedule = Schedule.exponential("1 millis").pipe(
  Schedule.union(Schedule.spaced("11 millis")),
  Schedule.jittered
)

/** The same for at most so many milliseconds, whatever is done to the wall clock meanwhile. */
export const busyScheduleUpTo = (millis: number) =>
  Effect.map(Clock.currentTimeNanos, (began) =>
    busySchedule.pipe(
      Schedule.whileInputEffect(() =>
        Effect.map(Clock.currentTimeNanos, (now) => Number((now - began) / 1_000_000n) < millis)
      )
    )
  )

export interface Service {
  /** The file, by its canonical path. */
  readonly path: string
  /** The open writer; opens a new one after `discard`. */
  readonly writer: Effect.Effect<Writer, StorageUnusable | StorageFailed>
  /** Closes the writer, with whatever transaction is open. */
  readonly discard: Effect.Effect<void>
  /** Whether the path, or that of a file beside it, no longer leads to the file that is open. */
  readonly isReplaced: () => boolean
  readonly reader: SqlClient.SqlClient
}

export class Database extends Context.Tag("skein/Database")<Database, Service>() {}
