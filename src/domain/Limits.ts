/** Every size that Skein bounds. Characters are code points, bytes are bytes of UTF-8 or of the file. */
import { Either, Schema } from "effect"
import * as JsonBounds from "./JsonBounds.js"
import { InvalidInput } from "./SkeinError.js"

const size = Schema.Int.pipe(Schema.between(1, Number.MAX_SAFE_INTEGER, { description: "a whole number from 1" }))

/** Upper bounds for what is stored. */
export const Limits = Schema.Struct({
  /** Characters of a title after folding white space. Defaults to 200. */
  titleCharacters: size,
  /** Bytes of one stored message. Defaults to 4 MiB. */
  messageBytes: size,
  /** Bytes of one session's or run's metadata, and of the JSON Schema of a run's answer. Defaults to 64 KiB. */
  metadataBytes: size,
  /** Characters of a tool's result that the model is shown; the rest becomes an asset. Defaults to 30,000. */
  resultCharacters: size,
  /** Bytes of one asset. Defaults to 64 MiB. */
  assetBytes: size,
  /** Media types that assets may have, `image/*` for a family. Null allows any, which is the default. */
  assetTypes: Schema.NullOr(Schema.Array(Schema.NonEmptyString))
}).annotations({ identifier: "Limits" })
export type Limits = typeof Limits.Type

/** The limits of a host that sets none. */
export const defaults: Limits = {
  titleCharacters: 200,
  messageBytes: 4 * 1024 * 1024,
  metadataBytes: 64 * 1024,
  resultCharacters: 30_000,
  assetBytes: 64 * 1024 * 1024,
  assetTypes: null
}

const encoder = new TextEncoder()

/** Bytes of a text in UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length

/** Whether a text has more bytes than a limit. Only encodes a text near the limit: a UTF-16 unit has 1 to 3 bytes. */
const isOver = (text: string, limit: number): boolean =>
  text.length > limit || (text.length * 3 > limit && byteLength(text) > limit)

/** Returns the JSON text of a value, or a refusal when it has none or it has more than `limit` bytes. */
export const json = (field: string, value: unknown, limit: number): Either.Either<string, InvalidInput> => {
  const text = Either.getOrNull(Either.try((): string | undefined => JSON.stringify(value)))
  if (typeof text === "string" && !isOver(text, limit)) return Either.right(text)
  const actual = typeof text === "string" ? `${byteLength(text)} bytes` : "no JSON"
  return Either.left(new InvalidInput({ field, limit: `at most ${limit} bytes`, actual }))
}

const tooMany = (field: string) =>
  new InvalidInput({ field, limit: `at most ${JsonBounds.messageValues} values`, actual: "more" })

/** Does the same for a message: the number of its values is bounded too. */
export const message = (field: string, value: unknown, limit: number): Either.Either<string, InvalidInput> =>
  Either.filterOrLeft(
    json(field, value, limit),
    (text) => JsonBounds.excess(text, { values: JsonBounds.messageValues, depth: Infinity }) === null,
    () => tooMany(field)
  )
