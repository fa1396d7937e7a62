/**
 * Reads through the reader's connection, each one statement and so one snapshot. A host's open transaction is left
 * alone: its connection leads to another database. A statement that failed is sent with another text the next time, as
 * the client keeps what it could not prepare. A statement is never interrupted: one that is while the client prepares
 * it leaves everybody who sends the same text later waiting for ever.
 */
import { SqlClient } from "@effect/sql"
import { Context, Effect, Option } from "effect"
import { StorageFailed } from "../../../domain/SkeinError.js"
import { busyScheduleUpTo, type Database, type SqlFailure } from "./Database.js"

export interface Query {
  /** `Row` names the columns that are selected. `operation` is a verb for messages, such as "read the transcript". */
  <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ): Effect.Effect<ReadonlyArray<Row>, StorageFailed>
}

/** Reads only find the file busy while another process recovers the log; that is waited for, up to `busyMaxMillis`. */
export const make = ({ failureOf, reader }: Database["Type"], busyMaxMillis: number): Query => {
  const patience = busyScheduleUpTo(busyMaxMillis)
  let failures = 0
  return <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ) => {
    const once = Effect.suspend(() =>
      reader.unsafe<Row>(failures === 0 ? statement : `${statement} -- ${failures}`, parameters)
    ).pipe(
      Effect.uninterruptible,
      Effect.mapError((error) => {
        failures++
        return failureOf(error)
      })
    )
    const isBusy = ({ kind }: SqlFailure) => kind === "busy"
    return Effect.catchIf(once, isBusy, () =>
      Effect.flatMap(patience, (schedule) => Effect.retry(once, { while: isBusy, schedule }))
    ).pipe(
      Effect.mapError(({ code }) => new StorageFailed({ operation, code })),
      outsideTransactions
    )
  }
}

const outsideTransactions = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.contextWithEffect((context: Context.Context<never>) =>
    Option.isNone(Context.getOption(context, SqlClient.TransactionConnection))
      ? effect
      : Effect.mapInputContext(effect, (context: Context.Context<never>) =>
          Context.omit(SqlClient.TransactionConnection)(context)
        )
  )
