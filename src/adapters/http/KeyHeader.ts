/**
 * An idempotency key as a header. A header has only ASCII and loses spaces at its ends, so any other key is
 * percent-encoded UTF-8 in a header of its own.
 */
import { Schema } from "effect"
import { IdempotencyKey } from "../../domain/Run.js"
import * as Parameters from "./Parameters.js"

const encoded = Schema.compose(Schema.StringFromUriComponent, IdempotencyKey).annotations({
  description: "a key as percent-encoded UTF-8, instead of idempotency-key",
  jsonSchema: { type: "string" }
})

export const schema = Parameters.headers({
  "idempotency-key": Schema.optional(IdempotencyKey),
  "idempotency-key-encoded": Schema.optional(encoded)
})

const isPlain = (key: string): boolean => /^[!-~](?:[ -~]*[!-~])?$/.test(key)

/** The headers of a request with a key, or without one. */
export const write = (key: string | undefined): typeof schema.Type =>
  key === undefined ? {} : isPlain(key) ? { "idempotency-key": key } : { "idempotency-key-encoded": key }

/** The key of a request, if it has one. */
export const read = (headers: typeof schema.Type): string | undefined =>
  headers["idempotency-key-encoded"] ?? headers["idempotency-key"]
