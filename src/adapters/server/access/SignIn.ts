/**
 * Signing in of the page: a code that is good once and for a minute is exchanged for a cookie. Both are kept in memory
 * only, as hashes, and stand for a token: when that is revoked they are worth nothing.
 */
import { Clock, Duration, Effect } from "effect"
import type { Token } from "./TokenFolder.js"
import * as TokenText from "./TokenText.js"

/** The token that somebody signed in with, as it was then. */
export type SignedIn = Pick<Token, "name" | "hash">

interface Held {
  readonly as: SignedIn
  readonly until: number
}

const codeMillis = Duration.toMillis("60 seconds")
const sessionMillis = Duration.toMillis("12 hours")

/** Held at most of each; the oldest makes room. */
const most = 1_000

const keep = (held: Map<string, Held>, as: SignedIn, until: number): string => {
  const secret = TokenText.secret()
  held.set(TokenText.hashOf(secret), { as, until })
  for (const oldest of held.keys()) {
    if (held.size <= most) break
    held.delete(oldest)
  }
  return secret
}

const look = (held: Map<string, Held>, secret: string, now: number): SignedIn | null => {
  const hash = TokenText.hashOf(secret)
  const found = held.get(hash)
  if (found === undefined) return null
  if (now < found.until) return found.as
  held.delete(hash)
  return null
}

/** The codes and cookies of one server. */
export const make = () => {
  const codes = new Map<string, Held>()
  const sessions = new Map<string, Held>()
  return {
    /** For how many seconds a cookie is good. */
    cookieSeconds: sessionMillis / 1000,
    /** A code that is good once, for 60 seconds. */
    code: (as: SignedIn): Effect.Effect<string> =>
      Effect.map(Clock.currentTimeMillis, (now) => keep(codes, as, now + codeMillis)),
    /** Exchanges a code for the value of a cookie; null for a code that is not good, or no longer. */
    exchange: (code: string): Effect.Effect<string | null> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const as = look(codes, code, now)
        codes.delete(TokenText.hashOf(code))
        return as === null ? null : keep(sessions, as, now + sessionMillis)
      }),
    /** Who a cookie stands for; null when nobody. */
    find: (cookie: string): Effect.Effect<SignedIn | null> =>
      Effect.map(Clock.currentTimeMillis, (now) => look(sessions, cookie, now)),
    /** From now on a cookie stands for nobody. */
    end: (cookie: string): Effect.Effect<void> => Effect.sync(() => sessions.delete(TokenText.hashOf(cookie)))
  }
}
