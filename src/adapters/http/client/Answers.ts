/** Reads an answer: the operation's value or error, or a `RequestFailed`. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Option, Predicate, Schema, Stream } from "effect"
import * as SkeinError from "../../../domain/SkeinError.js"
import { Stopping } from "../RequestErrors.js"
import { wireErrors } from "../WireErrors.js"
import { RequestFailed } from "./RequestFailed.js"

const tagOf = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : "an unnamed error"

/** The status of the answer that an HTTP client's error is about. */
const statusOf = (error: unknown): number | null =>
  Predicate.hasProperty(error, "response") &&
  Predicate.hasProperty(error.response, "status") &&
  Predicate.isNumber(error.response.status)
    ? error.response.status
    : null

const failed = (error: unknown): RequestFailed => {
  if (error instanceof RequestFailed) return error
  const tag = tagOf(error)
  if (tag === "RequestError") return new RequestFailed({ reason: "unreachable", status: null, detail: "no answer" })
  if (tag === "ResponseError" || tag === "ParseError") {
    return new RequestFailed({ reason: "malformed", status: statusOf(error), detail: "another kind of answer" })
  }
  return new RequestFailed({ reason: "refused", status: error instanceof Stopping ? 503 : null, detail: tag })
}

type AnySkeinError = typeof SkeinError.is extends (value: unknown) => value is infer E ? E : never

/** Leaves the Gateway's errors as they are, and turns all others into a `RequestFailed`. */
export const explain = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, (E & AnySkeinError) | RequestFailed, R> =>
  Effect.mapError(effect, (error): (E & AnySkeinError) | RequestFailed =>
    SkeinError.is(error) ? error : failed(error)
  )

interface Answered<A, IA, E, IE> {
  readonly success: Schema.Schema<A, IA>
  readonly error: Schema.Schema<E, IE>
}

const Tagged = Schema.Struct({ _tag: Schema.String })

/** Reads the error from an answer. */
const refusal = <E extends Error, IE extends object>(
  error: Schema.Schema<E, IE>,
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<E | RequestFailed> =>
  Effect.map(
    Effect.orElseSucceed(response.json, () => null),
    (body): E | RequestFailed => {
      const known = Schema.decodeUnknownOption(wireErrors(error))(body)
      if (Option.isSome(known)) return known.value
      const tagged = Schema.decodeUnknownOption(Tagged)(body)
      const detail = Option.isSome(tagged) ? tagged.value._tag : "not an error of Skein"
      return new RequestFailed({ reason: "refused", status: response.status, detail })
    }
  )

/** Returns the answer, or fails with the error in it. */
const succeeded = <E extends Error, IE extends object>(
  error: Schema.Schema<E, IE>,
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<HttpClientResponse.HttpClientResponse, E | RequestFailed> =>
  response.status >= 200 && response.status < 300
    ? Effect.succeed(response)
    : Effect.flatMap(refusal(error, response), (refused) => Effect.fail(refused))

/** The value of an answer. */
export const read =
  <A, IA, E extends Error, IE extends object>({ error, success }: Answered<A, IA, E, IE>) =>
  (response: HttpClientResponse.HttpClientResponse) =>
    succeeded(error, response).pipe(
      Effect.flatMap(({ json }) => json),
      Effect.flatMap(Schema.decodeUnknown(success))
    )

/** The bytes of an answer. */
export const bytes = <E extends Error, IE extends object, EI, EH>(
  http: HttpClient.HttpClient.With<EH>,
  { error }: { readonly error: Schema.Schema<E, IE> },
  request: Effect.Effect<HttpClientRequest.HttpClientRequest, EI>
): Stream.Stream<Uint8Array, ((E | EI | EH | RequestFailed) & AnySkeinError) | RequestFailed> =>
  Stream.unwrapScoped(
    Effect.map(
      explain(
        Effect.flatMap(request, (request) =>
          Effect.flatMap(http.execute(request), (response) => succeeded(error, response))
        )
      ),
      ({ status, stream }) =>
        Stream.mapError(stream, () => new RequestFailed({ reason: "unreachable", status, detail: "cut" }))
    )
  )
