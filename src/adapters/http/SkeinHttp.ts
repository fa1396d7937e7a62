/**
 * The Gateway over HTTP, as layers for hosts: all its operations under `/v1`, events as server-sent events. Next to
 * them are the protocols of front ends, behind the same guard.
 *
 * - It mounts under any path of a host's own server. The host says who asks, by `principals`: there is no default.
 * - Every error is JSON with `_tag` and `message`, and with `field` and `limit` where they apply. No error contains
 *   anything from the request.
 * - A run belongs to the engine: a client that goes away ends only its own waiting.
 * - To a host's middleware, a stream of events is over once begun: a client costs little, however long it listens.
 * - When the layer is closed, event streams end with `closing`, and waits for a run's end are refused with 503.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Layer, type Scope } from "effect"
import type { Gateway } from "../../services/gateway/Gateway.js"
import { assets, transfer } from "./AssetHandlers.js"
import { api } from "./Api.js"
import { events } from "./EventHandlers.js"
import { guard } from "./Guard.js"
import { agents, limits, questions, runs, sessions, transcripts } from "./Handlers.js"
import * as OpenStreams from "./OpenStreams.js"
import * as Protocols from "./protocols/Routes.js"
import type { Principals } from "./Principals.js"

export { api } from "./Api.js"
export { JsonBytes } from "./Body.js"
export { openApi } from "./Document.js"
export { createServer } from "./NodeServer.js"
export { StreamTimes } from "./OpenStreams.js"
export { everybody, Principals, principals } from "./Principals.js"
export * from "./RequestErrors.js"

/** What a server of @effect/platform provides. */
type Platform = HttpRouter.HttpRouter.DefaultServices

const handlers = Layer.mergeAll(agents, limits, sessions, transcripts, runs, questions, assets, transfer, events)

/** Built separately in `app`, so that they are not in the router of a host's api. */
const routes = Layer.mergeAll(
  HttpApiBuilder.api(api),
  HttpApiBuilder.Router.Live,
  HttpApiBuilder.Middleware.layer,
  Protocols.layer,
  guard
).pipe(Layer.provide(handlers), Layer.provide(OpenStreams.layer))

/** Each path has one spelling, as it has in the rules of a proxy in front of the server. */
const exact = { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }

const withHeaders = (response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeaders(response, {
    "x-content-type-options": "nosniff",
    ...(response.headers["cache-control"] === undefined ? { "cache-control": "no-store" } : {}),
    ...(response.status === 503 ? { "retry-after": "1" } : {})
  })

/** All routes as an app, for hosts that serve it in another way. Its streams end with the scope. */
export const app: Effect.Effect<HttpApp.Default, never, Gateway | Principals | Platform | Scope.Scope> = Effect.gen(
  function* () {
    const context = yield* Layer.build(routes)
    const router = yield* Effect.provide(HttpRouter.withRouterConfig(HttpApiBuilder.httpApp, exact), context)
    const platform = yield* Effect.context<Platform>()
    return Effect.mapInputContext(Effect.map(router, withHeaders), (input: Context.Context<HttpServerRequest>) =>
      Context.merge(platform, input)
    )
  }
)

/** Serves the routes, and nothing else. */
export const serve: Layer.Layer<never, never, HttpServer.HttpServer | Gateway | Principals | Platform> =
  Layer.scopedDiscard(Effect.flatMap(app, (app) => HttpServer.serveEffect(app)))

/** Mounts the routes under a path, such as `/skein`, of a host's own `HttpApi`, next to its own routes. */
export const layer = (path: `/${string}`): Layer.Layer<never, never, Gateway | Principals | Platform> =>
  HttpApiBuilder.Router.use((router) => Effect.flatMap(app, (app) => router.mountApp(path, app)))

/** Mounts the routes under a path of a host's `HttpLayerRouter`. */
export const layerRouter = (
  path: `/${string}`
): Layer.Layer<never, never, HttpLayerRouter.HttpRouter | Gateway | Principals | Platform> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const router = yield* HttpLayerRouter.HttpRouter
      yield* router.prefixed(path).add("*", "/*", yield* app)
    })
  )
