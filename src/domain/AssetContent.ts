/**
 * What may become an asset: its media type, its name, its size, and, for an image, a header that is of its type and
 * tells a size that a picture can have. A pure state that takes the content piece by piece; a refusal comes before the
 * refused piece is kept anywhere.
 *
 * Not judged: the rest of the content. A file that begins as a PNG may still not be one that can be shown.
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

/** Bytes that are looked at first, as they tell the type; twice as many each further time. */
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

/** The name, or why it is refused: too long, or no valid Unicode. */
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

/** What a content is held to. */
export interface Rules {
  readonly mediaType: string
  /** Bytes. */
  readonly limit: number
}

/** As much of a content as has come. */
export interface PartialContent {
  /** Bytes. */
  readonly size: number
  /** The beginning of an image whose header is not complete; empty for all others. */
  readonly head: Chunk.Chunk<Uint8Array>
  /** Bytes of `head` at which it is looked at again; null once there is nothing more to look for. */
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

/** What is wrong with the beginning of an image; null for nothing, or for nothing yet unless it `isWhole`. */
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

/** The content with one more piece of it, or why the content is refused. */
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

/** The size in bytes of a content that has come whole, or why it is refused after all. */
export const whole = (rules: Rules, content: PartialContent): Either.Either<number, InvalidInput> => {
  if (content.nextLook === null || !ImageHeader.mediaTypes.has(rules.mediaType)) return Either.right(content.size)
  const wrong = flaw(rules, joined(content.head, content.size), true)
  return wrong === null || wrong === "incomplete" ? Either.right(content.size) : Either.left(wrong)
}
