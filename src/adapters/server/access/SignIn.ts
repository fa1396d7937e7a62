/**
 * Signs the page in: a code that is good once, for one minute, is exchanged for a cookie. Codes are in memory; cookies
 * are in files in the server's folder, so that a page is still signed in after the server restarts. Only the hash of
 * each is kept. Both stand for a token: when it is revoked, they are worth nothing.
 */
import { Clock, Duration, Effect, Either, Option, Schema } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as PrivateFile from "../../node/PrivateFile.js"
import * as TokenFolder from "./TokenFolder.js"
import * as TokenText from "./TokenText.js"

/** The token that somebody signed in with, as it was then. */
export type SignedIn = Pick<TokenFolder.Token, "name" | "hash">

/** The token that a code or cookie stands for, and until when, in milliseconds since the epoch. */
const Held = Schema.Struct({ name: TokenText.Name, hash: Schema.String, until: Schema.Int })
type Held = typeof Held.Type

const HeldJson = Schema.parseJson(Held)
const encode = Schema.encodeSync(HeldJson)
const decode = Schema.decodeUnknownOption(HeldJson)

const codeMillis = Duration.toMillis("60 seconds")
const cookieMillis = Duration.toMillis("12 hours")

/** The most codes. The oldest makes room for a new one. */
const mostCodes = 1_000

/**
 * The codes of one server, and the cookies of its folder. A cookie is `NAME=VALUE`: under another name, which belongs
 * to another server, it is worth nothing.
 */
export const make = (folder: string) => {
  const codes = new Map<string, Held>()
  const cookies = join(folder, "cookies")
  const fileOf = (hash: string): string => join(cookies, hash)
  const forget = (hash: string): void => rmSync(fileOf(hash), { force: true })

  const read = (hash: string): Held | null => {
    const text = PrivateFile.read(fileOf(hash))
    return text === null ? null : Option.getOrNull(decode(text))
  }

  /** Removes expired cookies. */
  const clear = (now: number): void => {
    for (const hash of PrivateFile.names(cookies)) if ((read(hash)?.until ?? 0) <= now) forget(hash)
  }

  return {
    /** For how many seconds a cookie is good. */
    cookieSeconds: cookieMillis / 1000,
    /** A code that is good once, for 60 seconds. */
    code: ({ hash, name }: SignedIn): Effect.Effect<string> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const code = TokenText.secret()
        codes.set(TokenText.hashOf(code), { name, hash, until: now + codeMillis })
        const [oldest] = codes.keys()
        if (codes.size > mostCodes && oldest !== undefined) codes.delete(oldest)
        return code
      }),
    /** Exchanges a code for a cookie of this name, `NAME=VALUE`; null for a code that is not, or no longer, good. */
    exchange: (code: string, name: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        TokenFolder.attempt("keep a cookie", () => {
          const hash = TokenText.hashOf(code)
          const held = codes.get(hash)
          codes.delete(hash)
          if (held === undefined || held.until <= now) return Either.right(null)
          const cookie = `${name}=${TokenText.secret()}`
          TokenFolder.ensure(cookies)
          clear(now)
          PrivateFile.write(fileOf(TokenText.hashOf(cookie)), encode({ ...held, until: now + cookieMillis }))
          return Either.right(cookie)
        })
      ),
    /** Returns the token that a cookie stands for, or null. */
    find: (cookie: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        TokenFolder.attempt("look up a cookie", () => {
          const held = read(TokenText.hashOf(cookie))
          return Either.right(held !== null && now < held.until ? held : null)
        })
      ),
    /** Ends a cookie: from now on it stands for nobody. */
    end: (cookie: string) =>
      TokenFolder.attempt("remove a cookie", () => Either.right(forget(TokenText.hashOf(cookie))))
  }
}
