/** Reads through the connections that read. Each read is one statement and so sees one snapshot. */
import { Effect } from "effect"
import { StorageFailed } from "../../domain/SkeinError.js"
import type { Parameter } from "../../services/storage/sql/Database.js"
import type { Query } from "../../services/storage/sql/Query.js"
import { isRow } from "./Connection.js"
import { toPostgres } from "./Dialect.js"
import type { Readers } from "./Readers.js"

type Parameters = ReadonlyArray<Parameter>

/** Every failure has its code, and says what was being read. */
export const make = ({ query }: Readers): Query => {
  const read = <Row>(operation: string, text: string, parameters: Parameters, asArrays: boolean) =>
    query(toPostgres(text), parameters, asArrays).pipe(
      Effect.map(({ rows }) => rows.filter(isRow<Row>)),
      Effect.mapError(
        (error) => new StorageFailed({ operation, code: error._tag === "StorageUnusable" ? error.detail : error.code })
      )
    )
  return Object.assign(
    <Row extends object>(operation: string, text: string, ...parameters: Parameters) =>
      read<Row>(operation, text, parameters, false),
    {
      values: <Row extends ReadonlyArray<unknown>>(operation: string, text: string, ...parameters: Parameters) =>
        read<Row>(operation, text, parameters, true)
    }
  )
}
