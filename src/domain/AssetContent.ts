/**
 * What may become an asset: the rules for its media type, its name, its size, and, for an image, its header, which must
 * match the type and state a size that a picture can have. A pure state that takes the content piece by piece; a piece
 * is refused before it is kept anywhere.
 *
 * Not checked: the rest of the content. A file that begins like a PNG may still be impossible to show.
 */
import { Chunk, Either, Schema } from "effect"
import { MediaType } from "./Asset.js"
import * as ImageHeader from "./ImageHeader.js"
import type { Limits } from "./Limits.js"
import { InvalidInput } from "./SkeinError.js"

/** Characters (code points) that an asset's name may have. */
const nameCharacters = 255

/** Bytes in which an image's header has to be complete. */
const headerBytes = 1024 * 1024

/** Bytes at the first check: enough to tell the type. Each further check waits for twice as many. */
const firstLook = 12

/** Pixels that a picture may have on each side. */
const mostPixels = 65_535

const allows = (types: ReadonlyArray<string>, mediaType: string): boolean =>
  types.some((type) => (type.endsWith("/*") ? mediaType.startsWith(type.slice(0, -1)) : mediaType === type))

/** The media type, or why it is refused: not `type/subtype` in lower case, or not among those allowed. */
export const mediaType = (
  input: string,
  limits: Pick<Limits, "assetTypes">
): Either.Either<typeof MediaType.Type, InvalidInput> => {
  const refuse = (limit: string) =>
    Either.left(new InvalidInput({ field: "mediaType", limit, actual: input.slice(0, 100) }))
  if (!Schema.is(MediaType)(input)) return refuse("type/subtype in lower case, without parameters")
  return limits.assetTypes === null || allows(limits.assetTypes, input)
    ? Either.right(input)
    : refuse(`one of ${limits.assetTypes.join(", ")}`)
}

/** The name, or why it is refused: empty, too long, or not valid Unicode without NUL. */
export const name = (input: string | null): Either.Either<string | null, InvalidInput> => {
  if (input === null) return Either.right(null)
  const characters = Array.from(input).length
  if (characters < 1 || characters > nameCharacters) {
    return Either.left(
      new InvalidInput({ field: "name", limit: `1 to ${nameCharacters} characters`, actual: `${characters}` })
    )
  }
  return /[\0\p{Surrogate}]/u.test(input)
    ? Either.left(new InvalidInput({ field: "name", limit: "valid Unicode without NUL", actual: "something else" }))
    : Either.right(input)
}

/** The rules that the content must meet. */
export interface Rules {
  readonly mediaType: string
  /** Bytes. */
  readonly limit: number
}

/** The content received so far. */
export interface PartialContent {
  /** Bytes. */
  readonly size: number
  /** The beginning of an image whose header is not complete; empty in all other cases. */
  readonly head: Chunk.Chunk<Uint8Array>
  /** Bytes of `head` at which it is checked again; null once there is nothing left to check. */
  readonly nextLook: number | null
}

export const nothing: PartialContent = { size: 0, head: Chunk.empty(), nextLook: firstLook }

const joined = (pieces: Chunk.Chunk<Uint8Array>, size: number): Uint8Array => {
  const all = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/** Returns what is wrong with the beginning of an image, or null; `incomplete` when only more bytes can tell. */
const flaw = ({ mediaType }: Rules, head: Uint8Array, isWhole: boolean): InvalidInput | "incomplete" | null => {
  const refuse = (limit: string, actual: string) => new InvalidInput({ field: "content", limit, actual })
  const header = ImageHeader.read(head)
  if (header === "incomplete" && !isWhole) return "incomplete"
  const type = ImageHeader.typeOf(head)
  if (type !== mediaType) return refuse(`content of type ${mediaType}`, type ?? "other content")
  if (header === "incomplete" || header === null) return refuse(`content of type ${mediaType}`, "a damaged header")
  const { height, width } = header
  const isPicture = [width, height].every((pixels) => pixels >= 1 && pixels <= mostPixels)
  return isPicture ? null : refuse(`pictures of 1 to ${mostPixels} pixels on each side`, `${width} x ${height}`)
}

/** Returns the content with one more piece, or why it is refused. */
export const take = (
  rules: Rules,
  before: PartialContent,
  bytes: Uint8Array
): Either.Either<PartialContent, InvalidInput> => {
  const size = before.size + bytes.length
  if (size > rules.limit) {
    return Either.left(
      new InvalidInput({ field: "content", limit: `at most ${rules.limit} bytes`, actual: `${size} bytes or more` })
    )
  }
  const { nextLook } = before
  const read: PartialContent = { size, head: Chunk.empty(), nextLook: null }
  if (nextLook === null || !ImageHeader.mediaTypes.has(rules.mediaType)) return Either.right(read)
  const head = Chunk.append(before.head, bytes)
  if (size < nextLook) return Either.right({ size, head, nextLook })
  const wrong = flaw(rules, joined(head, size), size > headerBytes)
  if (wrong === "incomplete") return Either.right({ size, head, nextLook: size * 2 })
  return wrong === null ? Either.right(read) : Either.left(wrong)
}

/** Returns the size in bytes of content that is complete, or why it is refused after all. */
export const whole = (rules: Rules, content: PartialContent): Either.Either<number, InvalidInput> => {
  if (content.nextLook === null || !ImageHeader.mediaTypes.has(rules.mediaType)) return Either.right(content.size)
  const wrong = flaw(rules, joined(content.head, content.size), true)
  return wrong === null || wrong === "incomplete" ? Either.right(content.size) : Either.left(wrong)
}
