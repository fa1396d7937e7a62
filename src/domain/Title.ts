/**
 * A session's title: one line of printable text. A given title is folded and must fit the limit; until the
 * session is named, its first message decides it.
 */
import { Either } from "effect"
import type { Limits } from "./Limits.js"
import { textOf, type UserMessage } from "./Message.js"
import * as OneLine from "./OneLine.js"
import { InvalidInput } from "./SkeinError.js"

/** The title of a session that has neither a name nor a message. */
export const untitled = "New session"

/** Folds a given title. Refuses one that has no character left, or more than the limit. */
export const check = (input: string, { titleCharacters }: Limits): Either.Either<string, InvalidInput> => {
  const folded = OneLine.fold(input)
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

/** The title that a first message gives to a session that is still `untitled` and not named; null without any text. */
export const ofMessage = (message: UserMessage, { titleCharacters }: Limits): string | null => {
  const title = OneLine.first(textOf(message), titleCharacters)
  return title === untitled ? null : title
}
