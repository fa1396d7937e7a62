/**
 * Tokens in the folder of a host's server, which is `server` in a data folder, even if the sessions are in a database.
 * Each token has a file in `tokens` under its own name, so that two processes cannot both make it, and a removed token
 * is refused from the next check on. A file appears whole, by a link to what was written next to it, and only its owner
 * can read it.
 *
 * Of a named token, only its hash is stored. The local token is stored as it is in the file `token`, for programs of
 * the same user, and is never printed. A local token that others could have read is replaced.
 */
import { Array, Clock, Effect, Either, Option, Schema } from "effect"
import { chmodSync, lstatSync, rmSync, unlinkSync } from "node:fs"
import { join } from "node:path"
import { Owner } from "../../../domain/Session.js"
import { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import * as FolderCreation from "../../node/FolderCreation.js"
import * as PrivateFile from "../../node/PrivateFile.js"
import * as TokenText from "./TokenText.js"

/** What a token lets its bearer do. */
export const Scope = Schema.Literal("read", "write")

const cap = Schema.NullOr(Schema.Int.pipe(Schema.positive()))

/** A token without its secret. Times are in milliseconds since the epoch. */
export const Token = Schema.Struct({
  name: TokenText.Name,
  /** SHA-256 of its text, in hexadecimal. */
  hash: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)),
  scope: Scope,
  /** The owner whose sessions it can reach; null for everybody's. */
  owner: Schema.NullOr(Owner),
  createdAt: Schema.Int,
  /** The time from which it is refused; null for never. */
  expiresAt: Schema.NullOr(Schema.Int),
  /** The most runs begun with it that may go on or wait; null for any number. */
  maxRuns: cap,
  /** The most requests per second; null for any number. */
  maxRequests: cap,
  /** The most bytes of a body; null for as many as the store accepts. */
  maxUpload: cap
})
export type Token = typeof Token.Type

/** A token with this name exists already. */
export class TokenExists extends Schema.TaggedError<TokenExists>()("TokenExists", { name: TokenText.Name }) {
  override get message() {
    return `There is a token ${this.name} already`
  }
}

/** No token has this name. */
export class TokenNotFound extends Schema.TaggedError<TokenNotFound>()("TokenNotFound", { name: TokenText.Name }) {
  override get message() {
    return `No token is called ${this.name}`
  }
}

const TokenJson = Schema.parseJson(Token)
const encode = Schema.encodeSync(TokenJson)
const decode = Schema.decodeUnknownOption(TokenJson)

const ending = ".json"
const named = "tokens"

const pathOf = (folder: string, name: TokenText.Name): string =>
  name === TokenText.local ? join(folder, "token") : join(folder, named, `${name}${ending}`)

/** Permissions that nobody except the owner may have. */
const open = 0o077

/** Whether only this user can use what is at a path. Windows has no such permissions. */
const isPrivate = (path: string): boolean => {
  const user = process.getuid?.()
  if (user === undefined) return true
  const { mode, uid } = lstatSync(path)
  return uid === user && (mode & open) === 0
}

/** Makes a folder if it is missing, and closes it to others. Throws if it belongs to another user. */
export const ensure = (folder: string): void => {
  FolderCreation.make(folder)
  if (isPrivate(folder)) return
  const { uid } = lstatSync(folder)
  if (uid !== process.getuid?.()) {
    throw new StorageUnusable({ path: folder, reason: "no-access", detail: `user ${uid} owns it` })
  }
  chmodSync(folder, 0o700)
}

const localText = (folder: string): string | null => {
  const text = PrivateFile.read(pathOf(folder, TokenText.local))
  return text !== null && TokenText.nameIn(text) === TokenText.local ? text : null
}

/** Turns what `f` throws into a failure of storage. */
export const attempt = <A, E = never>(operation: string, f: () => Either.Either<A, E>) =>
  Effect.flatten(
    Effect.try({
      try: f,
      catch: (thrown) =>
        thrown instanceof StorageUnusable ? thrown : new StorageFailed({ operation, code: codeOf(thrown) })
    })
  )

/**
 * Returns the local token of a server's folder; the first caller makes it. Fails with `StorageUnusable` if the folder
 * belongs to another user, and with `StorageFailed`.
 */
export const local = (folder: string): Effect.Effect<string, StorageUnusable | StorageFailed> =>
  attempt("keep the local token", () => {
    ensure(folder)
    const path = pathOf(folder, TokenText.local)
    const found = localText(folder)
    if (found !== null && isPrivate(path)) return Either.right(found)
    if (found !== null) rmSync(path, { force: true })
    const made = TokenText.make(TokenText.local)
    // Another process was first, or a file without a token is in the way.
    if (!PrivateFile.create(path, made) && localText(folder) === null) PrivateFile.write(path, made)
    return Either.right(localText(folder) ?? made)
  })

/** Returns the local token of a server's folder, for callers that only use it; null if none was made. */
export const localIfThere = (folder: string): Effect.Effect<string | null, StorageUnusable | StorageFailed> =>
  attempt("read the local token", () => Either.right(localText(folder)))

const noCaps = { maxRuns: null, maxRequests: null, maxUpload: null }

const localToken = (folder: string): Token | null => {
  const text = localText(folder)
  return text === null
    ? null
    : {
        name: TokenText.local,
        hash: TokenText.hashOf(text),
        scope: "write",
        owner: null,
        createdAt: Math.trunc(lstatSync(pathOf(folder, TokenText.local)).mtimeMs),
        expiresAt: null,
        ...noCaps
      }
}

const tokenIn = (folder: string, name: TokenText.Name): Token | null => {
  if (name === TokenText.local) return localToken(folder)
  const text = PrivateFile.read(pathOf(folder, name))
  const token = text === null ? null : Option.getOrNull(decode(text))
  return token?.name === name ? token : null
}

/** Returns a token by its name, as it is now; null if there is none. A token that has expired is still returned. */
export const find = (
  folder: string,
  name: TokenText.Name
): Effect.Effect<Token | null, StorageUnusable | StorageFailed> =>
  attempt("look up a token", () => Either.right(tokenIn(folder, name)))

/** Whether a token is good at a time. */
export const isGood = ({ expiresAt }: Token, now: number): boolean => expiresAt === null || now < expiresAt

/** Makes a token and returns its text, which is stored nowhere and cannot be read again. */
export const create = Effect.fn("TokenFolder.create")(function* (
  folder: string,
  wish: Omit<Token, "createdAt" | "hash">
) {
  const createdAt = yield* Clock.currentTimeMillis
  const text = TokenText.make(wish.name)
  if (wish.name === TokenText.local) return yield* new TokenExists({ name: wish.name })
  return yield* attempt("keep a token", (): Either.Either<string, TokenExists> => {
    ensure(folder)
    ensure(join(folder, named))
    const token = encode({ ...wish, createdAt, hash: TokenText.hashOf(text) })
    const isMade = PrivateFile.create(pathOf(folder, wish.name), token)
    return isMade ? Either.right(text) : Either.left(new TokenExists({ name: wish.name }))
  })
})

/** A file among the tokens that is none, and lets nobody in. */
interface NoToken {
  readonly path: string
  /** The system's code if it cannot be read; null if it says something else. */
  readonly code: string | null
}

/** What is in the folder of the named tokens, sorted by name. */
export interface Listed {
  readonly tokens: ReadonlyArray<Token>
  readonly others: ReadonlyArray<NoToken>
}

/** The token in a file; null if the file is gone. */
const listed = (path: string, file: string): Token | NoToken | null => {
  try {
    const text = PrivateFile.read(path)
    if (text === null) return null
    const token = Option.getOrNull(decode(text))
    return token !== null && `${token.name}${ending}` === file ? token : { path, code: null }
  } catch (thrown) {
    return { path, code: codeOf(thrown) }
  }
}

/** Returns the named tokens, and what else is among them. */
export const list = (folder: string): Effect.Effect<Listed, StorageUnusable | StorageFailed> =>
  attempt("list tokens", () => {
    // What begins with a dot is a file that is being written, or the system's own.
    const files = PrivateFile.names(join(folder, named)).filter((file) => !file.startsWith("."))
    const found = files.toSorted().flatMap((file) => listed(join(folder, named, file), file) ?? [])
    const [others, tokens] = Array.partition(found, (one) => "hash" in one)
    return Either.right({ tokens: tokens.toSorted((one, other) => (one.name < other.name ? -1 : 1)), others })
  })

/** Removes a token: from now on it is refused. The local token is replaced by another one. */
export const revoke = (
  folder: string,
  name: TokenText.Name
): Effect.Effect<void, TokenNotFound | StorageUnusable | StorageFailed> =>
  attempt("remove a token", (): Either.Either<void, TokenNotFound> => {
    const path = pathOf(folder, name)
    try {
      if (name === TokenText.local && localText(folder) !== null) {
        PrivateFile.write(path, TokenText.make(name))
      } else {
        unlinkSync(path)
      }
      return Either.void
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return Either.left(new TokenNotFound({ name }))
      throw thrown
    }
  })
