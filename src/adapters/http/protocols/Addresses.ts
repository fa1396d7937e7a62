/** Addresses of files as a client outside sees them: next to the route that it requested, wherever that is mounted. */
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import type { SessionId } from "../../../domain/Session.js"
import type { UrlOf } from "./ResultContent.js"

/** The path under which `/v1` is. */
const mount = (originalUrl: string): string =>
  /^(\/[^?#]*)?\/(?:ai\/chat|agui|ds)(?:[/?#]|$)/.exec(originalUrl)?.[1] ?? ""

/** The addresses of a session's files. */
export const addressOf = (sessionId: SessionId): Effect.Effect<UrlOf, never, HttpServerRequest> =>
  Effect.map(
    HttpServerRequest,
    ({ originalUrl }) =>
      (assetId) =>
        `${mount(originalUrl)}/v1/sessions/${sessionId}/assets/${assetId}`
  )
