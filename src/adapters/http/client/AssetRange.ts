/**
 * A part of a file, as a range of HTTP. There is no empty range, so a byte is asked for where none is wanted, and what
 * the server refuses as outside of the file may be its end.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Schema } from "effect"
import { InvalidInput } from "../../../domain/SkeinError.js"
import { RangeNotSatisfiable } from "../RequestErrors.js"
import { wireErrors } from "../WireErrors.js"

/** No file is as large: a place with more digits than this would not be read as one. */
const largest = 10 ** 15 - 1

/** The header that asks for `length` bytes from `offset`, or for all of them. */
export const header = (offset: number, length: number | undefined): { readonly range?: string } => {
  if (offset === 0 && length === undefined) return {}
  const first = Math.min(offset, largest)
  return { range: `bytes=${first}-${length === undefined ? "" : Math.min(first + Math.max(length, 1) - 1, largest)}` }
}

const decode = Schema.decodeUnknown(wireErrors(RangeNotSatisfiable))

/** A client for which nothing is left at the end of a file, and only what is beyond it is refused. */
export const within = <E, R>(http: HttpClient.HttpClient.With<E, R>, offset: number) =>
  HttpClient.transform(http, (answered, request) =>
    Effect.flatMap(answered, (response) =>
      response.status === 416
        ? Effect.flatMap(Effect.flatMap(response.json, decode), ({ size }) =>
            offset <= size
              ? Effect.succeed(HttpClientResponse.fromWeb(request, new Response("")))
              : new InvalidInput({
                  field: "offset",
                  limit: `a whole number from 0 to ${size}`,
                  actual: `${offset}`
                })
          )
        : Effect.succeed(response)
    )
  )
