/** What a server refuses before a request is routed, answered in the JSON shape that all errors have. */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Schema } from "effect"
import * as AnyRequest from "../../http/AnyRequest.js"
import { wireErrors } from "../../http/WireErrors.js"

const status = (status: number) => ({ [HttpApiSchema.AnnotationStatus]: status })

/** The request calls the server by a name that is not one of its own. */
export class WrongHost extends Schema.TaggedError<WrongHost>()(
  "WrongHost",
  { field: Schema.Literal("host"), limit: Schema.String },
  status(421)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** The request comes from a page that is not allowed. */
export class ForeignOrigin extends Schema.TaggedError<ForeignOrigin>()(
  "ForeignOrigin",
  { field: Schema.Literal("origin"), limit: Schema.String },
  status(403)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** All that a request may be refused with here. */
export const Refusal = Schema.Union(WrongHost, ForeignOrigin, ...AnyRequest.refusals)
export type Refusal = typeof Refusal.Type

const statuses: Readonly<Record<Refusal["_tag"], number>> = {
  WrongHost: 421,
  ForeignOrigin: 403,
  Malformed: 400,
  Unauthorized: 401,
  NoSuchRoute: 404,
  MethodNotAllowed: 405,
  BodyTooLarge: 413,
  UnsupportedContent: 415,
  TooMany: 429,
  Unexpected: 500
}

const headersOf = (error: Refusal): Readonly<Record<string, string>> => {
  switch (error._tag) {
    case "Unauthorized":
      return { "www-authenticate": "Bearer" }
    case "MethodNotAllowed":
      return { allow: error.allow.join(", ") }
    case "TooMany":
      return { "retry-after": "1", ...(error.field === "connections" ? { connection: "close" } : {}) }
    default:
      return {}
  }
}

const encode = Schema.encodeSync(wireErrors(Refusal))

/** Returns the answer to a refused request. */
export const answer = (error: Refusal): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(encode(error), { status: statuses[error._tag], headers: headersOf(error) })
