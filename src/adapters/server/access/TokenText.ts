/**
 * What a token looks like: `skein.NAME.SECRET`, with 256 random bits as its secret. Its name says where it is looked
 * up, so that a wrong token costs one lookup. Only the hash of the whole text is compared, in constant time.
 */
import { Schema } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

/** A token's name. */
export const Name = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    description: "1 to 63 of a-z, 0-9, - and _, a letter or digit first"
  }),
  Schema.brand("TokenName")
)
export type Name = typeof Name.Type

/** The name of the token that anybody who may read the data folder has. */
export const local = Name.make("local")

/** 256 random bits, for URLs. */
export const secret = (): string => randomBytes(32).toString("base64url")

/** A new token's text. */
export const make = (name: Name): string => `skein.${name}.${secret()}`

const form = /^skein\.([^.]{1,63})\.[A-Za-z0-9_-]{43}$/
const isName = Schema.is(Name)

/** The name in a text that has the form of a token; null for any other text. */
export const nameIn = (text: string): Name | null => {
  const [, name = ""] = form.exec(text) ?? []
  return isName(name) ? name : null
}

/** What is stored of a secret: its SHA-256 in hexadecimal. That is enough for random bits. */
export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Whether a text has the form of a hash. */
export const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

/** Whether two hashes are the same, in a time that does not depend on them. */
export const isSame = (one: string, other: string): boolean => {
  const [first, second] = [Buffer.from(one), Buffer.from(other)]
  return first.length === second.length && timingSafeEqual(first, second)
}
