/**
 * What every answer tells browsers: run only our own files, let only the page's `Characters` make HTML, show it in no frame, guess no type, store nothing, send no
 * referrer. An answer that is not our page runs nothing at all, whatever a session's file contains.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

const common = ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]

const page = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types skein-characters",
  ...common
].join("; ")

const other = ["default-src 'none'", "style-src 'self'", ...common].join("; ")

const always = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin"
}

/** What an answer is, and to whom. */
export interface About {
  /** Whether it is the page, or one of its files. */
  readonly isPage: boolean
  /** The origin of a page on the list that asks; null for any other caller. */
  readonly origin: string | null
}

const forOrigin = (origin: string) => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": "*",
  "cross-origin-resource-policy": "cross-origin",
  vary: "origin"
})

/** Adds to an answer what browsers are told. */
export const add = (response: HttpServerResponse.HttpServerResponse, { isPage, origin }: About) =>
  HttpServerResponse.setHeaders(response, {
    ...always,
    "content-security-policy": isPage ? page : other,
    ...(response.headers["cache-control"] === undefined ? { "cache-control": "no-store" } : {}),
    ...(origin === null ? { "cross-origin-resource-policy": "same-origin" } : forOrigin(origin))
  })

/** The answer to a browser that asks whether a page on the list may send a request. */
export const preflight = HttpServerResponse.empty({
  status: 204,
  headers: {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers":
      "authorization, content-type, idempotency-key, idempotency-key-encoded, last-event-id, range, if-none-match",
    "access-control-max-age": "600"
  }
})
