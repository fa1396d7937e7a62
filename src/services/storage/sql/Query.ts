/** Reads through the reader's connection. Each read is one statement and so sees one snapshot. */
import { Context, Effect, Layer } from "effect"
import { StorageFailed } from "../../../domain/SkeinError.js"
import { EngineConfig } from "../../EngineConfig.js"
import { busyScheduleUpTo, Database, type Parameter, type Reader, SqlFailure } from "./Database.js"

type Read<Least> = {
  /** `Row` names the columns that are selected. `operation` is a verb for messages, such as "read the transcript". */
  <Row extends Least>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<Parameter>
  ): Effect.Effect<ReadonlyArray<Row>, StorageFailed>
}

export interface Query extends Read<object> {
  /** Each row as an array. */
  readonly values: Read<ReadonlyArray<unknown>>
}

/** The queries of a storage. */
export class Queries extends Context.Tag("skein/Queries")<Queries, Query>() {}

/** A reader finds the database busy only while another process recovers its log. It waits up to `busyMaxMillis`. */
export const make = (reader: Reader, busyMaxMillis: number): Query => {
  const patience = busyScheduleUpTo(busyMaxMillis)
  const isBusy = ({ kind }: SqlFailure) => kind === "busy"
  const read = <Rows>(operation: string, rows: () => Rows): Effect.Effect<Rows, StorageFailed> => {
    const once = Effect.try({ try: rows, catch: (thrown) => thrown }).pipe(
      Effect.catchAll((thrown) => (thrown instanceof SqlFailure ? Effect.fail(thrown) : Effect.die(thrown)))
    )
    return Effect.catchIf(once, isBusy, () =>
      Effect.flatMap(patience, (schedule) => Effect.retry(once, { while: isBusy, schedule }))
    ).pipe(Effect.mapError(({ code }) => new StorageFailed({ operation, code })))
  }
  const all: Read<object> = <Row extends object>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<Parameter>
  ) => read(operation, () => reader.all<Row>(statement, ...parameters))
  const values: Read<ReadonlyArray<unknown>> = <Row extends ReadonlyArray<unknown>>(
    operation: string,
    statement: string,
    ...parameters: ReadonlyArray<Parameter>
  ) => read(operation, () => reader.values<Row>(statement, ...parameters))
  return Object.assign(all, { values })
}

export const layer: Layer.Layer<Queries, never, Database> = Layer.effect(
  Queries,
  Effect.map(Effect.all([Database, EngineConfig]), ([{ reader }, { busyMaxMillis }]) => make(reader, busyMaxMillis))
)
