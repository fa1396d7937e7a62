/** Every size that Skein bounds. Characters are code points, bytes are bytes of UTF-8 or of the file. */
import { Either } from "effect"
import { InvalidInput } from "./SkeinError.js"

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

/** The JSON text of a value, or a refusal when it has none or one of more than `limit` bytes. */
export const json = (field: string, value: unknown, limit: number): Either.Either<string, InvalidInput> => {
  const text = Either.getOrNull(Either.try((): string | undefined => JSON.stringify(value)))
  const bytes = text === null || text === undefined ? null : byteLength(text)
  return typeof text === "string" && bytes !== null && bytes <= limit
    ? Either.right(text)
    : Either.left(
        new InvalidInput({
          field,
          limit: `at most ${limit} bytes`,
          actual: bytes === null ? "no JSON" : `${bytes} bytes`
        })
      )
}
