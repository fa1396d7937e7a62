/**
 * Surrounds all routes: it asks who sends the request, passes the routes a Gateway narrowed to that sender, and turns
 * whatever goes wrong into one of the errors that the api declares. No error contains anything from the request.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerError from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Effect, Either, Schema } from "effect"
import * as SkeinError from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as Restricted from "../../services/gateway/Restricted.js"
import { api, RequestError } from "./Api.js"
import { readRefusal } from "./Parameters.js"
import { Principals } from "./Principals.js"
import * as Protocols from "./protocols/Routes.js"
import { wireErrors } from "./WireErrors.js"
import { Malformed, MethodNotAllowed, NoSuchRoute, TooMany, Unauthorized, Unexpected } from "./RequestErrors.js"

/** The methods of each path. */
const routes: ReadonlyArray<{ readonly path: RegExp; readonly methods: ReadonlyArray<string> }> = (() => {
  const methods = new Map<string, Array<string>>()
  const add = ({ method, path }: { readonly method: string; readonly path: string }) => {
    methods.set(path, [...(methods.get(path) ?? []), method, ...(method === "GET" ? ["HEAD"] : [])])
  }
  HttpApi.reflect(api, { onGroup: () => {}, onEndpoint: ({ endpoint }) => add(endpoint) })
  Protocols.routes.forEach(add)
  return [...methods].map(([path, methods]) => ({
    path: new RegExp(`^${path.replaceAll(/:[^/]+/g, "[^/]+")}$`),
    methods
  }))
})()

const notRouted = ({ method, url }: HttpServerRequest): MethodNotAllowed | NoSuchRoute => {
  const [path = ""] = url.split("?")
  const allow = routes.find((route) => route.path.test(path))?.methods ?? []
  return allow.length === 0 || allow.includes(method) ? new NoSuchRoute() : new MethodNotAllowed({ allow })
}

const isDeclared = Schema.is(RequestError)

type Declared = typeof RequestError.Type

/** Returns the declared error that a request is answered with. */
const explain = (cause: Cause.Cause<unknown>, request: HttpServerRequest): Effect.Effect<Declared> => {
  const error = Cause.squash(cause)
  if (isDeclared(error)) return Effect.succeed(error)
  if (error instanceof HttpServerError.RouteNotFound) return Effect.succeed(notRouted(request))
  const refusal = error instanceof HttpApiDecodeError ? readRefusal(error.message) : Either.left(null)
  return Either.isRight(refusal)
    ? Effect.succeed(refusal.right)
    : Effect.as(Effect.logError("A request to Skein failed", cause), new Unexpected())
}

const bodyOf = Schema.encodeSync(wireErrors(RequestError))

const answer = (cause: Cause.Cause<Declared>) =>
  Effect.gen(function* () {
    if (Cause.isInterruptedOnly(cause) || SkeinError.is(Cause.squash(cause))) return yield* Effect.failCause(cause)
    const error = yield* explain(cause, yield* HttpServerRequest)
    if (error instanceof MethodNotAllowed) {
      return HttpServerResponse.unsafeJson(bodyOf(error), { status: 405, headers: { allow: error.allow.join(", ") } })
    }
    if (error instanceof Unauthorized) {
      return HttpServerResponse.unsafeJson(bodyOf(error), { status: 401, headers: { "www-authenticate": "Bearer" } })
    }
    if (error instanceof TooMany) {
      return HttpServerResponse.unsafeJson(bodyOf(error), { status: 429, headers: { "retry-after": "1" } })
    }
    return yield* error
  })

/** The middleware around the api's router. */
export const guard = HttpApiBuilder.middleware(
  api,
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const who = yield* Principals
    return (router: HttpApp.Default) =>
      Effect.gen(function* () {
        const { url } = yield* HttpServerRequest
        if (!url.startsWith("/")) return yield* new Malformed({ field: "target", limit: "a path" })
        const narrowed = Restricted.narrow(gateway, yield* who)
        return yield* Effect.provideService(router, Gateway, narrowed)
      }).pipe(Effect.catchAllCause(answer))
  })
)
