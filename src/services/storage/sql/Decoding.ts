/**
 * Stored rows become data by a Schema. A value that does not decode is reported by its place, never shown. A page whose
 * first row is damaged fails; a page with a damaged row further on ends before it, so that the rest stays readable.
 */
import { Either, ParseResult, Predicate, Schema } from "effect"
import type { JsonRecord } from "../../../domain/Json.js"
import { RowDamaged } from "../../../domain/SkeinError.js"
import { exactly } from "../../../domain/ExactCheck.js"

/** The session of a row, and its place in the transcript if it has one. */
export interface RowName {
  readonly sessionId: string
  readonly seq: number | null
}

const damaged = ({ seq, sessionId }: RowName, error: ParseResult.ParseError): RowDamaged => {
  const path = ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.path ?? []
  return new RowDamaged({ sessionId, seq, detail: ["does not decode", ...path.map(String)].join(" at ") })
}

/** The JSON text of an object. Its fields may have any name, as every value in it is JSON. */
export const JsonObject = Schema.parseJson(Schema.declare((value): value is JsonRecord => Predicate.isRecord(value)))

/** Decodes one row. */
export const decoder = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (name: RowName, row: unknown): Either.Either<A, RowDamaged> =>
    Either.mapLeft(decode(row), (error) => damaged(name, error))
}

/** Returns the value of a JSON text that needs no decoding, and undefined for any other text. */
export const exactJson = <A, I>(schema: Schema.Schema<A, I>) => {
  const isExact = exactly(schema)
  return (text: string): A | undefined => {
    const value = parse(text)
    return isExact(value) ? value : undefined
  }
}

/** The value of a JSON text; undefined for any other text. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Decodes a page of rows, up to the first that is damaged. */
export const decodePage = <Row, A>(
  rows: ReadonlyArray<Row>,
  decode: (row: Row) => Either.Either<A, RowDamaged>
): Either.Either<ReadonlyArray<A>, RowDamaged> => {
  const good: Array<A> = []
  for (const row of rows) {
    const decoded = decode(row)
    if (Either.isRight(decoded)) good.push(decoded.right)
    else return good.length === 0 ? Either.left(decoded.left) : Either.right(good)
  }
  return Either.right(good)
}
