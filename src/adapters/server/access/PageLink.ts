/** Links to a server's page that sign a browser in with a token, once. */
import { Clock, type Duration, Effect } from "effect"
import * as SignIn from "./SignIn.js"
import * as TokenFolder from "./TokenFolder.js"
import type * as TokenText from "./TokenText.js"

/**
 * Makes a code that signs in with a token of a server's folder: once, for this long. Fails with `TokenNotFound` when no
 * token that is still good has the name.
 */
export const code = Effect.fn("PageLink.code")(function* (
  folder: string,
  name: TokenText.Name,
  lasts: Duration.DurationInput
) {
  const token = yield* TokenFolder.find(folder, name)
  if (token === null || !TokenFolder.isGood(token, yield* Clock.currentTimeMillis)) {
    return yield* new TokenFolder.TokenNotFound({ name })
  }
  return yield* SignIn.make(folder).code(token, lasts)
})

/** The link to the page at a URL with a code. */
export const of = (page: string, code: string): string => `${page}/#code=${code}`
