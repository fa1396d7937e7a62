/** Reads through the reader's connection. Each read is one statement and so sees one snapshot. */
import { Effect } from "effect"
import { StorageFailed } from "../../../domain/SkeinError.js"
import { busyScheduleUpTo, type Reader, SqlFailure } from "./Database.js"

export interface Query {
  /** `Row` names the columns that are selected. `operation` is a verb for messages, such as "read the transcript". */
  <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ): Effect.Effect<ReadonlyArray<Row>, StorageFailed>
}

/** A reader finds the database busy only while another process recovers its log. It waits up to `busyMaxMillis`. */
export const make = (reader: Reader, busyMaxMillis: number): Query => {
  const patience = busyScheduleUpTo(busyMaxMillis)
  return <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<string | number | null>
  ) => {
    const once = Effect.try({
      try: () => reader.all<Row>(statement, ...parameters),
      catch: (thrown) => thrown
    }).pipe(Effect.catchAll((thrown) => (thrown instanceof SqlFailure ? Effect.fail(thrown) : Effect.die(thrown))))
    const isBusy = ({ kind }: SqlFailure) => kind === "busy"
    return Effect.catchIf(once, isBusy, () =>
      Effect.flatMap(patience, (schedule) => Effect.retry(once, { while: isBusy, schedule }))
    ).pipe(Effect.mapError(({ code }) => new StorageFailed({ operation, code })))
  }
}
