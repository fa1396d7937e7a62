/**
 * Files of sessions, and sessions as files. Uploads are streamed into the store and downloads out of it; neither is
 * held in memory. Every file is an attachment, whatever its type, so that no page of ours ever shows it as a document.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Schema, Stream } from "effect"
import { AssetNotFound, type InvalidInput } from "../../domain/SkeinError.js"
import { api, jsonLines } from "./Api.js"
import * as Body from "./Body.js"
import * as ByteRange from "./ByteRange.js"
import { call } from "./Handlers.js"
import * as JsonArray from "./JsonArray.js"
import { BodyTooLarge, RangeNotSatisfiable, UnsupportedContent } from "./RequestErrors.js"
import { wireErrors } from "./WireErrors.js"

/** Gives content that is too large, or of a type that is not accepted, an error with its own status. */
const blamedOnBody = (error: InvalidInput): InvalidInput | BodyTooLarge | UnsupportedContent =>
  error.field === "content" && error.limit.startsWith("at most")
    ? new BodyTooLarge({ field: "body", limit: error.limit })
    : error.field === "mediaType"
      ? new UnsupportedContent({ field: "content-type", limit: error.limit })
      : error

const bodyOf = Schema.encodeSync(wireErrors(RangeNotSatisfiable))

const outside = (size: number) =>
  HttpServerResponse.unsafeJson(
    bodyOf(new RangeNotSatisfiable({ field: "range", limit: `within ${size} bytes`, size })),
    { status: 416, headers: { "content-range": `bytes */${size}` } }
  )

/** The `content-disposition` of a download: its name in ASCII that needs no quoting, and the full name next to it. */
const disposition = (name: string | null): string => {
  if (name === null) return "attachment"
  const plain = name.replaceAll(/[^A-Za-z0-9._ -]/g, "_")
  const whole = encodeURIComponent(name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`
}

export const assets = HttpApiBuilder.group(api, "assets", (handlers) =>
  handlers
    .handleRaw("assets", ({ path }) => call((gateway) => gateway.assets(path.sessionId)))
    .handleRaw("saveAsset", ({ path, urlParams }) =>
      Effect.gen(function* () {
        const mediaType = (yield* Body.mediaType) ?? "application/octet-stream"
        const content = yield* Body.bytes
        return yield* call((gateway) => gateway.saveAsset({ ...path, ...urlParams, mediaType, content })).pipe(
          Effect.catchTag("InvalidInput", (error) => Effect.fail(blamedOnBody(error)))
        )
      })
    )
    .handleRaw("openAsset", ({ path }) =>
      Effect.gen(function* () {
        const { headers, method } = yield* HttpServerRequest
        const asset = (yield* call((gateway) => gateway.assets(path.sessionId))).find(({ id }) => id === path.assetId)
        if (asset === undefined) return yield* new AssetNotFound(path)
        const etag = `"${asset.sha256}"`
        const about = {
          etag,
          "accept-ranges": "bytes",
          "last-modified": new Date(asset.createdAt).toUTCString(),
          "cache-control": "private, no-cache",
          "content-disposition": disposition(asset.name)
        }
        if (ByteRange.matches(headers["if-none-match"], etag)) {
          return HttpServerResponse.empty({ status: 304, headers: about })
        }
        const wantsRange = headers["if-range"] === undefined || headers["if-range"] === etag
        const range = wantsRange ? ByteRange.of(headers["range"], asset.size) : "whole"
        if (range === "outside") {
          return outside(asset.size)
        }
        const { length, offset } = range === "whole" ? { offset: 0, length: asset.size } : range
        const contentRange = { "content-range": `bytes ${offset}-${offset + length - 1}/${asset.size}` }
        const options = {
          status: range === "whole" ? 200 : 206,
          contentType: asset.mediaType,
          contentLength: length,
          headers: range === "whole" ? about : { ...about, ...contentRange }
        }
        if (method === "HEAD" || length === 0) return HttpServerResponse.stream(Stream.empty, options)
        const content = yield* call((gateway) => JsonArray.begun(gateway.openAsset({ ...path, offset, length })))
        return HttpServerResponse.stream(content, options)
      })
    )
    .handleRaw("deleteAsset", ({ path }) => call((gateway) => gateway.deleteAsset(path.sessionId, path.assetId)))
)

export const transfer = HttpApiBuilder.group(api, "transfer", (handlers) =>
  handlers
    .handleRaw("exportSessions", ({ urlParams }) =>
      Effect.map(
        call((gateway) => JsonArray.begun(gateway.exportSessions(urlParams))),
        (lines) => HttpServerResponse.stream(Stream.encodeText(lines), { contentType: jsonLines })
      )
    )
    .handleRaw("importSessions", ({ urlParams }) =>
      Effect.gen(function* () {
        yield* Body.requireType(jsonLines)
        const content = yield* Body.bytes
        return yield* call((gateway) => gateway.importSessions({ ...urlParams, content }))
      })
    )
)
