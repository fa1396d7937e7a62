/**
 * What a member of a cluster says first on each connection to a runner: a secret kept in the database, which all
 * members can read. A runner obeys nobody else who reaches its port, and hangs up on them after reading only the first
 * bytes of what they write.
 */
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as SqlClient from "@effect/sql/SqlClient"
import { Context, Effect, Redacted, Schema } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

const decode = Schema.decodeUnknown(Schema.Tuple(Schema.Struct({ secret: Schema.Redacted(Schema.String) })))

/** Reads the cluster's secret. The first member to do so creates it. */
export const read = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS skein_secret (id INTEGER PRIMARY KEY, secret TEXT NOT NULL)`
  yield* sql`INSERT INTO skein_secret VALUES (1, ${randomBytes(32).toString("base64url")}) ON CONFLICT DO NOTHING`
  const [{ secret }] = yield* Effect.flatMap(sql`SELECT secret FROM skein_secret WHERE id = 1`, decode)
  return secret
})

/** The secret, for the side that says it and the side that demands it. */
export class ClusterSecret extends Context.Tag("skein/ClusterSecret")<ClusterSecret, Redacted.Redacted>() {}

type Serialization = RpcSerialization.RpcSerialization["Type"]

/** Decodes the text of a connection, in which a character may arrive in two pieces. */
const reader = () => {
  const decoder = new TextDecoder()
  return (bytes: Uint8Array | string) => (typeof bytes === "string" ? bytes : decoder.decode(bytes, { stream: true }))
}

const lineOf = (secret: Redacted.Redacted) => JSON.stringify(Redacted.value(secret))

/** Says the secret before a connection's first message. If that is sent again as it was encoded, so is the secret. */
export const says = (plain: Serialization, secret: Redacted.Redacted): Serialization => ({
  ...plain,
  unsafeMake: () => {
    const parser = plain.unsafeMake()
    const read = reader()
    let isSaid = false
    return {
      decode: (bytes) => parser.decode(read(bytes)),
      encode: (message) => {
        const encoded = parser.encode(message)
        if (isSaid || typeof encoded !== "string") return encoded
        isSaid = true
        return `${lineOf(secret)}\n${encoded}`
      }
    }
  }
})

const digest = (text: string) => createHash("sha256").update(text).digest()

/** Understands only a peer that has said the secret. */
export const demands = (plain: Serialization, secret: Redacted.Redacted): Serialization => ({
  ...plain,
  unsafeMake: () => {
    const parser = plain.unsafeMake()
    const read = reader()
    const line = lineOf(secret)
    let first = ""
    let isKnown = false
    const understood = (text: string) => parser.decode(text).filter((item) => typeof item !== "string")
    return {
      encode: (message) => parser.encode(message),
      decode: (bytes) => {
        const text = read(bytes)
        if (isKnown) return understood(text)
        first += text
        if (first.length <= line.length) return []
        isKnown = timingSafeEqual(digest(first.slice(0, line.length + 1)), digest(`${line}\n`))
        const rest = first.slice(line.length + 1)
        first = ""
        if (isKnown) return understood(rest)
        // Throwing here closes the connection.
        throw new RpcSerialization.RpcSerializationError({
          reason: "BufferSizeExceeded",
          maxBufferSize: 0,
          bufferSize: 0
        })
      }
    }
  }
})
