/**
 * Reads bodies. A body that declares a length over the limit is refused before any of it is read; any other body, as
 * soon as it exceeds the limit. No more than the limit is held. The rest of a refused body is read and dropped after
 * the answer, so that the answer arrives. A body that will be stored is a stream, and is never held as a whole.
 *
 * Parsing time is bounded by limiting both the bytes and the values of JSON: an object of a million keys takes a
 * hundred times as long as a text of the same length. A list of messages is parsed in pieces, with turns of the event
 * loop in between.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Effect, type Schema, type Scope, Stream } from "effect"
import * as JsonBounds from "../../domain/JsonBounds.js"
import * as Refusal from "../../domain/Refusal.js"
import type { InvalidInput } from "../../domain/SkeinError.js"
import * as Pulled from "../../services/Pulled.js"
import { inPieces } from "../../services/Stretch.js"
import { turn } from "../EventLoop.js"
import * as BodyRoom from "./BodyRoom.js"
import * as JsonScan from "./JsonScan.js"
import { BodyTooLarge, Malformed, UnsupportedContent } from "./RequestErrors.js"

/** The most bytes of a JSON body with messages. Defaults to 16 MiB: escapes can make a message of 4 MiB longer. */
export class JsonBytes extends Context.Reference<JsonBytes>()("skein/http/JsonBytes", {
  defaultValue: () => 16 * 1024 * 1024
}) {}

/** The most bytes of the JSON body of a request without messages. */
const smallBytes = 1024 * 1024

/** The most bytes of any body, even one that is stored as it arrives. Defaults to as many as the store accepts. */
export class UploadBytes extends Context.Reference<UploadBytes>()("skein/http/UploadBytes", {
  defaultValue: (): number => Infinity
}) {}

const cut = () => new Malformed({ field: "body", limit: "whole" })

/** The body's length, if the request says it. */
const declaredBytes = Effect.map(HttpServerRequest, ({ headers }) =>
  headers["content-length"] === undefined ? null : Number(headers["content-length"])
)

/** The most bytes of a body that is read and answered in a moment. */
const short = 64 * 1024

/** Whether the request says that its body is short. */
export const isShort = Effect.map(declaredBytes, (bytes) => bytes !== null && bytes <= short)

const tooLarge = (limit: number) => new BodyTooLarge({ field: "body", limit: `at most ${limit} bytes` })

/** Fails at the piece that exceeds the limit. */
const bounded =
  (limit: number) =>
  <E>(body: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E | BodyTooLarge> =>
    Stream.mapAccumEffect(body, 0, (before, piece) => {
      const size = before + piece.length
      return size > limit ? tooLarge(limit) : Effect.succeed([size, piece] as const)
    })

/** The bytes of a request's body. Closing the scope drops what was not read. */
export const bytes: Effect.Effect<
  Stream.Stream<Uint8Array, Malformed | BodyTooLarge>,
  BodyTooLarge,
  HttpServerRequest | Scope.Scope
> = Effect.gen(function* () {
  const limit = yield* UploadBytes
  const incoming = NodeHttpServerRequest.toIncomingMessage(yield* HttpServerRequest)
  yield* Effect.addFinalizer(() => Effect.sync(() => incoming.resume()))
  const declared = yield* declaredBytes
  if (declared !== null && declared > limit) return yield* tooLarge(limit)
  const body = NodeStream.fromReadable<Malformed, Uint8Array>(() => incoming, cut, { closeOnDone: false })
  return limit === Infinity ? body : bounded(limit)(body)
})

/** The media type of a request's body, without parameters; null when it has none. */
export const mediaType = Effect.map(HttpServerRequest, ({ headers }) => {
  const [essence = ""] = (headers["content-type"] ?? "").split(";")
  return essence.trim() === "" ? null : essence.trim().toLowerCase()
})

/** Refuses an encoded body, and a body of any type other than `expected`. */
export const requireType = Effect.fnUntraced(function* (expected: string) {
  const { headers } = yield* HttpServerRequest
  if ((headers["content-encoding"] ?? "identity").toLowerCase() !== "identity") {
    return yield* new UnsupportedContent({ field: "content-encoding", limit: "none" })
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers["content-type"] ?? "")?.[1]
  if ((yield* mediaType) !== expected || (charset !== undefined && charset.toLowerCase() !== "utf-8")) {
    return yield* new UnsupportedContent({ field: "content-type", limit: expected })
  }
})

const tooMany = new BodyTooLarge({ field: "body", limit: `at most ${JsonBounds.messageValues} values of JSON` })

const wholeBody = (most: number) =>
  Effect.gen(function* () {
    const limit = Math.min(most, yield* JsonBytes)
    const declared = yield* declaredBytes
    if (declared !== null && declared > limit) return yield* tooLarge(limit)
    if (!(yield* isShort)) yield* BodyRoom.take(declared ?? limit)
    const read: Array<Uint8Array> = []
    const scan = JsonScan.make()
    let size = 0
    yield* Pulled.forEach(yield* bytes, (piece) => {
      size += piece.length
      read.push(piece)
      if (size > limit) return tooLarge(limit)
      return scan.take(piece) > JsonBounds.messageValues ? tooMany : Effect.void
    })
    return { body: Buffer.concat(read), scan }
  })

const notJson = new Malformed({ field: "body", limit: "JSON in UTF-8" })

const parse = ({ body, scan }: { readonly body: Uint8Array; readonly scan: JsonScan.JsonScan }) =>
  body.length === 0
    ? Effect.succeed({})
    : Effect.flatMap(
        inPieces(JsonScan.parse(body, scan), turn),
        Effect.mapError(() => notJson)
      )

interface Form {
  /** Whether fields unknown to the Schema are refused. A foreign protocol may have more. Defaults to "error". */
  readonly unknownFields?: "error" | "ignore"
  /** Whether the body has messages in it and may be as large as `JsonBytes` says. Others may have one mebibyte. */
  readonly hasMessages?: boolean
}

/** Reads a JSON body with a Schema. An empty body is an empty object. */
export const json = <A, I>(
  schema: Schema.Schema<A, I>,
  { hasMessages = false, unknownFields = "error" }: Form = {}
): Effect.Effect<A, InvalidInput | Malformed | BodyTooLarge | UnsupportedContent, HttpServerRequest | Scope.Scope> => {
  const decode = Refusal.decoder(schema, undefined, unknownFields)
  const body = wholeBody(hasMessages ? Infinity : smallBytes)
  return requireType("application/json").pipe(Effect.zipRight(body), Effect.flatMap(parse), Effect.flatMap(decode))
}
