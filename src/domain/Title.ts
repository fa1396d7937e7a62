/**
 * A session's title: one line of printable text. A given title is folded and must fit the limit; until the
 * session is named, its first message decides it.
 */
import { Either } from "effect"
import type { Limits } from "./Limits.js"
import { textOf, type UserMessage } from "./Message.js"
import { InvalidInput } from "./SkeinError.js"

/** The title of a session that has neither a name nor a message. */
export const untitled = "New session"

/** Control characters, halves of surrogate pairs, and what turns or hides the text around it. */
const unprintable = /[\p{Cc}\p{Cs}\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu

/**
 * Makes each run of white space one blank, line breaks included, trims the ends and drops what cannot be seen.
 *
 * @internal
 */
export const fold = (title: string): string =>
  title.replace(/\s+/gu, " ").replace(unprintable, "").replace(/ +/g, " ").trim()

/** Folds a given title. Refuses one that has no character left, or more than the limit. */
export const check = (input: string, { titleCharacters }: Limits): Either.Either<string, InvalidInput> => {
  const folded = fold(input)
  const length = Array.from(folded).length
  return length >= 1 && length <= titleCharacters
    ? Either.right(folded)
    : Either.left(
        new InvalidInput({ field: "title", limit: `1 to ${titleCharacters} characters`, actual: `${length}` })
      )
}

/** The same for what changes a session: without a title there is nothing to check. */
export const checkPatch = <P extends { readonly title?: string | undefined }>(
  patch: P,
  limits: Limits
): Either.Either<P, InvalidInput> =>
  patch.title === undefined
    ? Either.right(patch)
    : Either.map(check(patch.title, limits), (title) => ({ ...patch, title }))

/**
 * Makes a title of the first line of a text that is not blank, cut to `limit` characters (code points).
 *
 * @internal
 */
export const ofText = (text: string, limit: number): string => {
  const line = text
    .split(/\r\n|[\n\r\u2028\u2029]/u)
    .map(fold)
    .find((line) => line !== "")
  if (line === undefined || limit < 1) return untitled
  const points = Array.from(line)
  return points.length <= limit
    ? line
    : `${points
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`
}

/** The title that a first message gives to a session that is still `untitled` and not named; null without any text. */
export const ofMessage = (message: UserMessage, { titleCharacters }: Limits): string | null => {
  const title = ofText(textOf(message), titleCharacters)
  return title === untitled ? null : title
}
