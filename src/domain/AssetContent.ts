/**
 * What may become an asset: its media type, its name, its size, and whether its first bytes contradict an image type
 * that it claims to be. A pure state that takes the content piece by piece; a refusal comes before the refused piece is
 * kept anywhere.
 *
 * Not judged: the rest of the content. A file that begins as a PNG may still not be one that can be shown.
 */
import { Either, Schema } from "effect"
import { MediaType } from "./Asset.js"
import type { Limits } from "./Limits.js"
import { InvalidInput } from "./SkeinError.js"

/** Characters (code points) that an asset's name may have. */
const nameCharacters = 255

/** Bytes that decide about every signature. */
const headBytes = 12

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

const signatures: ReadonlyArray<readonly [mediaType: string, pattern: RegExp]> = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/]
]

/** The image type that the first bytes of a file tell; null when they tell none. */
const imageType = (head: Uint8Array): string | null =>
  signatures.find(([, pattern]) => pattern.test(latin1(head.subarray(0, headBytes))))?.[0] ?? null

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
export interface Taken {
  /** Bytes. */
  readonly size: number
  /** The first bytes, as many as a signature needs. */
  readonly head: Uint8Array
}

export const nothing: Taken = { size: 0, head: new Uint8Array(0) }

const contradicts = ({ mediaType }: Rules, head: Uint8Array): boolean =>
  signatures.some(([type]) => type === mediaType) && imageType(head) !== mediaType

const contradiction = ({ mediaType }: Rules, head: Uint8Array): InvalidInput =>
  new InvalidInput({
    field: "content",
    limit: `content of type ${mediaType}`,
    actual: imageType(head) ?? "other content"
  })

/** The content with one more piece of it, or why the content is refused. */
export const take = (rules: Rules, taken: Taken, bytes: Uint8Array): Either.Either<Taken, InvalidInput> => {
  const size = taken.size + bytes.length
  if (size > rules.limit) {
    return Either.left(
      new InvalidInput({ field: "content", limit: `at most ${rules.limit} bytes`, actual: `${size} bytes or more` })
    )
  }
  if (taken.head.length === headBytes) return Either.right({ size, head: taken.head })
  const head = Uint8Array.of(...taken.head, ...bytes.subarray(0, headBytes - taken.head.length))
  return head.length === headBytes && contradicts(rules, head)
    ? Either.left(contradiction(rules, head))
    : Either.right({ size, head })
}

/** The size in bytes of a content that has come whole, or why it is refused after all. */
export const whole = (rules: Rules, taken: Taken): Either.Either<number, InvalidInput> =>
  contradicts(rules, taken.head) ? Either.left(contradiction(rules, taken.head)) : Either.right(taken.size)
