/**
 * The errors that a request may be refused with before the Gateway sees it. `message` is one line for a person. No
 * error contains anything that the request said, except the names of fields.
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"

const status = (status: number) => ({ [HttpApiSchema.AnnotationStatus]: status })

/** The request cannot be read: its body is not JSON in UTF-8, or its target is not a path. */
export class Malformed extends Schema.TaggedError<Malformed>()(
  "Malformed",
  { field: Schema.Literal("body", "target"), limit: Schema.String },
  status(400)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** The request has no credentials that are known here. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {}, status(401)) {
  override get message() {
    return "Valid credentials are required"
  }
}

/** There is nothing at this path. */
export class NoSuchRoute extends Schema.TaggedError<NoSuchRoute>()("NoSuchRoute", {}, status(404)) {
  override get message() {
    return "There is nothing at this path"
  }
}

/** This path accepts only other methods. */
export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()(
  "MethodNotAllowed",
  { allow: Schema.Array(Schema.String) },
  status(405)
) {
  override get message() {
    return `Only ${this.allow.join(", ")} is allowed here`
  }
}

/** A body has more bytes than are allowed. */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()(
  "BodyTooLarge",
  { field: Schema.Literal("body"), limit: Schema.String },
  status(413)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** A body has a content type or encoding that is not accepted here. */
export class UnsupportedContent extends Schema.TaggedError<UnsupportedContent>()(
  "UnsupportedContent",
  { field: Schema.Literal("content-type", "content-encoding"), limit: Schema.String },
  status(415)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** The file has none of the bytes that were asked for. */
export class RangeNotSatisfiable extends Schema.TaggedError<RangeNotSatisfiable>()(
  "RangeNotSatisfiable",
  { field: Schema.Literal("range"), limit: Schema.String, size: Schema.NonNegativeInt },
  status(416)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** More is asked than is allowed at the same time, or in a second. A later try may succeed. */
export class TooMany extends Schema.TaggedError<TooMany>()(
  "TooMany",
  { field: Schema.Literal("requests", "open", "runs", "connections"), limit: Schema.String },
  status(429)
) {
  override get message() {
    return `${this.field}: ${this.limit}`
  }
}

/** Something failed here that no request can be blamed for. The log has it. */
export class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", {}, status(500)) {
  override get message() {
    return "Something went wrong here"
  }
}

/** The server is about to stop, or has only begun to start: a later try, or another server, may succeed. */
export class Stopping extends Schema.TaggedError<Stopping>()("Stopping", {}, status(503)) {
  override get message() {
    return "This server is starting or about to stop"
  }
}
