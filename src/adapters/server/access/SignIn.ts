/**
 * Signs the page in: a code that is good once, for a while, is exchanged for a cookie. Both are in files in the server's
 * folder: so the command can make a code for a running server, and a page is still signed in after the server restarts.
 * Only the hash of each is kept. Both stand for a token: when it is revoked, they are worth nothing.
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

const cookieMillis = Duration.toMillis("12 hours")

/** What is kept of secrets in a folder: a file for each, named by its hash. */
const keep = (folder: string) => {
  const fileOf = (secret: string): string => join(folder, TokenText.hashOf(secret))

  const read = (file: string): Held | null => {
    const text = PrivateFile.read(file)
    return text === null ? null : Option.getOrNull(decode(text))
  }

  /** Returns what was kept of a secret that is still good, or null. */
  const good = (held: Held | null, now: number): Held | null => (held !== null && now < held.until ? held : null)

  return {
    /** Keeps a secret, and removes expired ones. */
    add: (secret: string, held: Held, now: number): void => {
      TokenFolder.ensure(folder)
      // Another process may be writing a draft beside them.
      for (const name of PrivateFile.names(folder).filter(TokenText.isHash)) {
        const file = join(folder, name)
        if (good(read(file), now) === null) rmSync(file, { force: true })
      }
      PrivateFile.write(fileOf(secret), encode(held))
    },
    find: (secret: string, now: number) => good(read(fileOf(secret)), now),
    /** Finds a secret and removes it. Of several that take one at the same time, one gets it. */
    take: (secret: string, now: number): Held | null => {
      const file = fileOf(secret)
      const held = read(file)
      return held !== null && PrivateFile.remove(file) ? good(held, now) : null
    },
    remove: (secret: string): void => rmSync(fileOf(secret), { force: true })
  }
}

/**
 * The codes and cookies of a server's folder. A cookie is `NAME=VALUE`: under another name, which belongs to another
 * server, it is worth nothing.
 */
export const make = (folder: string) => {
  const codes = keep(join(folder, "codes"))
  const cookies = keep(join(folder, "cookies"))

  return {
    /** For how many seconds a cookie is good. */
    cookieSeconds: cookieMillis / 1000,
    /** Makes a code that is good once, for this long. */
    code: ({ hash, name }: SignedIn, lasts: Duration.DurationInput) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        TokenFolder.attempt("keep a code", () => {
          const code = TokenText.secret()
          codes.add(code, { name, hash, until: now + Duration.toMillis(lasts) }, now)
          return Either.right(code)
        })
      ),
    /** Exchanges a code for a cookie of this name, `NAME=VALUE`; null for a code that is not, or no longer, good. */
    exchange: (code: string, name: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        TokenFolder.attempt("keep a cookie", () => {
          const held = codes.take(code, now)
          if (held === null) return Either.right(null)
          const cookie = `${name}=${TokenText.secret()}`
          cookies.add(cookie, { ...held, until: now + cookieMillis }, now)
          return Either.right(cookie)
        })
      ),
    /** Returns the token that a cookie stands for, or null. */
    find: (cookie: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        TokenFolder.attempt("look up a cookie", () => Either.right(cookies.find(cookie, now)))
      ),
    /** Ends a cookie: from now on it stands for nobody. */
    end: (cookie: string) => TokenFolder.attempt("remove a cookie", () => Either.right(cookies.remove(cookie)))
  }
}
