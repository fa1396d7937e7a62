/**
 * Reads through the reader's connection. Each read is one statement and so sees one snapshot.
 *
 * - A host's open transaction is ignored: its connection belongs to another database.
 * - A statement that failed is sent with a different text the next time, as the client caches what it could not prepare.
 * - A statement is never interrupted. If it were while the client prepares it, everyone who sends the same text later
 *   would wait for ever.
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

/** A reader finds the database busy only while another process recovers its log. It waits up to `busyMaxMillis`. */
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
