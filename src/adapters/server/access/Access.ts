/**
 * Who may come in: the guard around everything that a server has, before anything is routed.
 *
 * - A request needs a token, as `Authorization: Bearer`, or the cookie of a user who has signed in. Only the page's own
 *   files, `/ready`, the base path itself and `POST /login` need neither.
 * - A request must call the server by one of its names, and must not come from a page unless it is the server's own or
 *   on the list. Only `/ready` answers by any name: balancers call a server by its address.
 * - A refused request is answered in JSON that contains nothing from the request, and has had no effect.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import { Context, Effect, Layer, Metric, Option, type Scope } from "effect"
import type { InvalidInput, StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import * as Actor from "../../../services/Actor.js"
import type { Restriction } from "../../../services/gateway/Restricted.js"
import * as Body from "../../http/Body.js"
import * as NodeServer from "../../http/NodeServer.js"
import { Principals } from "../../http/Principals.js"
import { Malformed, MethodNotAllowed, TooMany, Unauthorized, Unexpected } from "../../http/RequestErrors.js"
import { Admitted } from "./Admitted.js"
import * as Authentication from "./Authentication.js"
import * as Hosts from "./Hosts.js"
import * as HttpMetrics from "./HttpMetrics.js"
import * as OpenRequests from "./OpenRequests.js"
import * as Rates from "./Rates.js"
import * as Refusals from "./Refusals.js"
import * as SecurityHeaders from "./SecurityHeaders.js"
import * as TokenFolder from "./TokenFolder.js"

/** How a server is reached, and by whom. */
export interface Options extends Hosts.Settings {
  /** The server's folder, with its tokens. */
  readonly folder: string
  /** The path that a proxy leaves before the server's own, such as `/skein`. Cut off if present. Defaults to none. */
  readonly basePath?: string | undefined
  /** The most requests of a token that may be open at a time, including event streams. Defaults to 2,000. */
  readonly maxOpen?: number | undefined
  /** Milliseconds between two checks of whether the tokens of open requests are still good. Defaults to 1,000. */
  readonly lookMillis?: number | undefined
}

export interface Service {
  /** Serves an app that only admitted requests reach, for as long as the scope. */
  readonly serve: (app: HttpApp.Default) => Effect.Effect<void, never, HttpServer.HttpServer | Scope.Scope>
}

/** The guard of one server. */
export class Access extends Context.Tag("skein/server/Access")<Access, Service>() {}

const restrictionOf = ({ name, owner, scope }: TokenFolder.Token): Restriction => ({
  actor: Actor.Actor.make(name),
  scope,
  ...(owner === null ? {} : { owner })
})

const isPageFile = (path: string): boolean => path === "/" || path.startsWith("/page/")

const isRead = (method: string): boolean => method === "GET" || method === "HEAD"

/** The url without the base path. */
const below = (url: string, basePath: string): string =>
  url.startsWith(`${basePath}/`) ? url.slice(basePath.length) : url

const pathOf = (url: string): string => url.split("?")[0] ?? ""

const make = (options: Options) =>
  Effect.gen(function* () {
    const { basePath = "", folder, lookMillis = 1000, maxOpen = 2000 } = options
    yield* TokenFolder.local(folder)
    const authentication = Authentication.make(folder)
    /** The base path is an address of the page, but the page's own addresses are relative to one with a slash. */
    const toPage = HttpServerResponse.empty({ status: 308, headers: { location: `${basePath}/` } })
    const rates = Rates.make()
    const open = yield* OpenRequests.make(lookMillis, (as, now) =>
      Effect.match(authentication.good(as, now), { onFailure: () => true, onSuccess: (token) => token !== null })
    )

    /** What calls the server. This also sets the headers of the answer, whatever the answer will be. */
    const callerOf = Effect.gen(function* () {
      const request = yield* HttpServerRequest
      const { headersDistinct, socket } = NodeHttpServerRequest.toIncomingMessage(request)
      const asked = {
        hosts: headersDistinct["host"] ?? [],
        header: (name: string) => request.headers[name],
        address: socket.localAddress ?? null,
        port: socket.localPort ?? null
      }
      const name = Hosts.nameOf(asked, options)
      const caller = name === null ? null : Hosts.callerOf(name, asked, options)
      const path = pathOf(below(request.url, basePath))
      const about = {
        isPage: isPageFile(path),
        origin: caller === "listed" ? (request.headers["origin"] ?? null) : null
      }
      yield* HttpApp.appendPreResponseHandler((_, response) =>
        Effect.as(
          Metric.increment(Metric.tagged(HttpMetrics.requests, "code", `${response.status}`)),
          SecurityHeaders.add(response, about)
        )
      )
      if (path === "/ready" && isRead(request.method)) return "balancer"
      if (name === null) return yield* new Refusals.WrongHost({ field: "host", limit: "a name of this server" })
      if (caller !== null) return caller
      return yield* new Refusals.ForeignOrigin({ field: "origin", limit: "a page of this server" })
    })

    /** Returns the complete answer to a request, or the token that it is from; null for what is open to everybody. */
    const admit = Effect.gen(function* () {
      const request = yield* HttpServerRequest
      const { headers, method, url } = request
      const caller = yield* callerOf
      if (NodeServer.isSurplus(NodeHttpServerRequest.toIncomingMessage(request).socket)) {
        return yield* new TooMany({ field: "connections", limit: "fewer at a time" })
      }
      if (caller === "balancer") return null
      if (!url.startsWith("/")) return yield* new Malformed({ field: "target", limit: "a path" })
      const asksBefore = method === "OPTIONS" && headers["access-control-request-method"] !== undefined
      if (caller === "listed" && asksBefore) return SecurityHeaders.preflight
      const path = pathOf(below(url, basePath))
      if (isRead(method)) {
        if (isPageFile(path)) return null
        if (basePath !== "" && path === basePath) return toPage
      }
      const base = url.startsWith(`${basePath}/`) ? `${basePath}/` : "/"
      const isSecure = headers["origin"]?.startsWith("https:") === true
      if (path === "/login" && method === "POST") return yield* authentication.login(base, isSecure)
      const { cookie, token } = yield* authentication.of(request, caller)
      if (path === "/logout" && method === "POST") {
        if (cookie !== null) yield* open.endOf(cookie)
        return yield* authentication.logout(base, cookie)
      }
      if (path === "/login" || path === "/logout") return yield* new MethodNotAllowed({ allow: ["POST"] })
      yield* rates.count(token)
      if (open.countOf(token) >= maxOpen) {
        return yield* new TooMany({ field: "open", limit: `at most ${maxOpen} requests at a time` })
      }
      yield* open.add(NodeHttpServerRequest.toServerResponse(request), { as: token, cookie })
      return token
    })

    const guard = (app: HttpApp.Default): HttpApp.Default =>
      Effect.matchEffect(admit, {
        onFailure: (error) => Effect.map(refusalOf(error), Refusals.answer),
        onSuccess: (admitted) => {
          if (admitted !== null && "status" in admitted) return Effect.succeed(admitted)
          return Effect.flatMap(HttpServerRequest, (request) => traced(app, request)).pipe(
            Effect.provideService(Admitted, admitted),
            Effect.provideService(Body.UploadBytes, admitted?.maxUpload ?? Infinity),
            Effect.updateService(HttpServerRequest, (request) => request.modify({ url: below(request.url, basePath) }))
          )
        }
      })

    return {
      serve: (app: HttpApp.Default) =>
        Effect.locally(HttpServer.serveEffect(guard(app)), HttpMiddleware.currentTracerDisabledWhen, () => true)
    }
  })

/** Traces an answer. The span has the route and no URL: what people search for, or put there by mistake, is private. */
const traced = (app: HttpApp.Default, { headers, method }: HttpServerRequest): HttpApp.Default =>
  app.pipe(
    Effect.tap(({ status }) => Effect.annotateCurrentSpan("http.response.status_code", status)),
    Effect.withSpan(`http.server ${method}`, {
      kind: "server",
      parent: Option.getOrUndefined(HttpTraceContext.fromHeaders(headers)),
      attributes: { "http.request.method": method },
      captureStackTrace: false
    })
  )

/** Returns what a request is refused with. A failure of the disk is not blamed on the request. */
const refusalOf = (
  error: Refusals.Refusal | InvalidInput | StorageFailed | StorageUnusable
): Effect.Effect<Refusals.Refusal> => {
  switch (error._tag) {
    case "StorageFailed":
    case "StorageUnusable":
      return Effect.as(Effect.logError("Tokens cannot be looked up", error), new Unexpected())
    case "InvalidInput":
      return Effect.succeed(new Malformed({ field: "body", limit: "an object with a code" }))
    default:
      return Effect.succeed(error)
  }
}

/** Who sent a request that the guard has let in. */
const principals = Layer.succeed(
  Principals,
  Effect.flatMap(Admitted, (token) => (token === null ? new Unauthorized() : Effect.succeed(restrictionOf(token))))
)

/**
 * The guard of a server, and who asks, for the routes behind it. Makes the local token if there is none. Fails with
 * `StorageUnusable` if the folder's tokens belong to another user, and with `StorageFailed`.
 */
export const layer = (options: Options): Layer.Layer<Access | Principals, StorageUnusable | StorageFailed> =>
  Layer.merge(Layer.scoped(Access, make(options)), principals)
