/** Every size that Skein bounds. Characters are code points, bytes are bytes of UTF-8 or of the file. */
import { Either, Schema } from "effect"
import { InvalidInput } from "./SkeinError.js"
import { foldTitle } from "./Session.js"

export interface Limits {
  /** Characters of a title after folding white space. Defaults to 200. */
  readonly titleCharacters: number
  /** Bytes of one stored message. Defaults to 4 MiB. */
  readonly messageBytes: number
  /** Bytes of one session's or run's metadata. Defaults to 64 KiB. */
  readonly metadataBytes: number
  /** Characters of a tool's result that the model is shown; the rest becomes an asset. Defaults to 30,000. */
  readonly resultCharacters: number
  /** Bytes of one asset. Defaults to 64 MiB. */
  readonly assetBytes: number
  /** Media types that assets may have, `image/*` for a family. Null allows any, which is the default. */
  readonly assetTypes: ReadonlyArray<string> | null
}

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

/** A title folded, or why it is refused. */
export const title = (input: string, limits: Limits): Either.Either<string, InvalidInput> => {
  const folded = foldTitle(input)
  const length = Array.from(folded).length
  return length >= 1 && length <= limits.titleCharacters
    ? Either.right(folded)
    : Either.left(
        new InvalidInput({ field: "title", limit: `1 to ${limits.titleCharacters} characters`, actual: `${length}` })
      )
}

/** The JSON text of a value, or a refusal when it is larger than `limit` bytes. */
export const json = (field: string, value: unknown, limit: number): Either.Either<string, InvalidInput> => {
  const text = JSON.stringify(value)
  const bytes = byteLength(text)
  return bytes <= limit
    ? Either.right(text)
    : Either.left(new InvalidInput({ field, limit: `at most ${limit} bytes`, actual: `${bytes} bytes` }))
}

/** Decodes a caller's input; a refusal names the field by its path. */
export const decode =
  <A, I>(field: string, schema: Schema.Schema<A, I>) =>
  (input: unknown): Either.Either<A, InvalidInput> =>
    Either.mapLeft(Schema.decodeUnknownEither(schema)(input), (error) => InvalidInput.fromParseError(field, error))
