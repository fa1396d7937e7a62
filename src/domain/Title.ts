/**
 * A session's title: one line of printable text. A title that somebody sets is folded and must fit the limit. Until the
 * session is named, its first message decides the title.
 */
import { Either } from "effect"
import type { Limits } from "./Limits.js"
import { textOf, type UserMessage } from "./Message.js"
import * as OneLine from "./OneLine.js"
import { InvalidInput } from "./SkeinError.js"

/** The title of a session that has neither a name nor a message. */
export const untitled = "New session"

/** Folds a title. Refuses a title that has no characters left, or more than the limit. */
export const check = (input: string, { titleCharacters }: Limits): Either.Either<string, InvalidInput> => {
  const folded = OneLine.fold(input)
  const length = Array.from(folded).length
  return length >= 1 && length <= titleCharacters
    ? Either.right(folded)
    : Either.left(
        new InvalidInput({ field: "title", limit: `1 to ${titleCharacters} characters`, actual: `${length}` })
      )
}

/** Does the same for a change to a session; without a title there is nothing to check. */
export const checkPatch = <P extends { readonly title?: string | undefined }>(
  patch: P,
  limits: Limits
): Either.Either<P, InvalidInput> =>
  patch.title === undefined
    ? Either.right(patch)
    : Either.map(check(patch.title, limits), (title) => ({ ...patch, title }))

/** Returns the title that the first message gives an `untitled` session that nobody named; null without any text. */
export const ofMessage = (message: UserMessage, { titleCharacters }: Limits): string | null => {
  const title = OneLine.first(textOf(message), titleCharacters)
  return title === untitled ? null : title
}
