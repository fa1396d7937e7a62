/**
 * Reads through the reader's connection, each one statement and so one snapshot. A host's open transaction is left
 * alone: its connection leads to another database. A statement that failed is sent with another text the next time, as
 * the client keeps what it could not prepare.
 */
import { SqlClient } from "@effect/sql"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Predicate } from "effect"
import { StorageFailed } from "../../domain/SkeinError.js"
import { busySchedule, isBusy } from "../Database.js"

export interface Query {
  /** `Row` names the columns that are selected. `operation` is a verb for messages, such as "read the transcript". */
  <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ): Effect.Effect<ReadonlyArray<Row>, StorageFailed>
}

export const make = (client: SqlClient.SqlClient): Query => {
  let failures = 0
  return <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ) =>
    Effect.suspend(() =>
      client.unsafe<Row>(failures === 0 ? statement : `${statement} -- ${failures}`, parameters)
    ).pipe(
      Effect.mapError((error) => {
        failures++
        return new StorageFailed({ operation, code: codeOf(error) })
      }),
      Effect.retry({ while: ({ code }) => isBusy(code), schedule: busySchedule }),
      Effect.mapInputContext((context: Context.Context<never>) =>
        Context.omit(SqlClient.TransactionConnection)(context)
      )
    )
}

const codeOf = ({ cause }: SqlError): string =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : "SQLITE_ERROR"
