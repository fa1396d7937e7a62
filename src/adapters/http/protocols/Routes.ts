/** The routes of protocols that front ends speak, next to those of the api and behind the same guard. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as HttpRouter from "@effect/platform/HttpRouter"
import type { HttpServerRequest, ParsedSearchParams } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import * as Refusal from "../../../domain/Refusal.js"
import { SessionId } from "../../../domain/Session.js"
import { CursorGone } from "../../../domain/SkeinError.js"
import type { Gateway } from "../../../services/gateway/Gateway.js"
import type { OpenStreams } from "../OpenStreams.js"
import { wireErrors } from "../WireErrors.js"
import * as AgUiRoute from "./AgUiRoute.js"
import * as AiRoutes from "./AiRoutes.js"
import * as DurableStream from "./DurableStream.js"

/** What the router provides. */
type OfRequest = HttpServerRequest | ParsedSearchParams | HttpRouter.RouteContext | Scope.Scope

interface Route {
  readonly method: HttpMethod
  readonly path: `/${string}`
  readonly answer: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Gateway | OpenStreams | OfRequest>
}

const readSession = Refusal.decoder(Schema.Struct({ sessionId: SessionId }), undefined, "ignore")

/** The session that the path names. */
const ofSession = <A, E, R>(f: (sessionId: SessionId) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { sessionId } = yield* readSession(yield* HttpRouter.params)
    return yield* f(sessionId)
  })

/** Every route. */
export const routes: ReadonlyArray<Route> = [
  { method: "POST", path: "/ai/chat", answer: AiRoutes.post },
  { method: "GET", path: "/ai/chat/:sessionId/stream", answer: ofSession(AiRoutes.resume) },
  { method: "GET", path: "/ai/chat/:sessionId/messages", answer: ofSession(AiRoutes.messages) },
  { method: "POST", path: "/agui", answer: AgUiRoute.post },
  { method: "GET", path: "/ds/sessions/:sessionId", answer: ofSession(DurableStream.get) }
]

const bodyOf = Schema.encodeSync(wireErrors(CursorGone))

/** No operation of the api fails with this: there, a client that is too late is told to reload. */
const tooLate = (error: CursorGone) => HttpServerResponse.unsafeJson(bodyOf(error), { status: 410 })

const isTooLate = (error: unknown): error is CursorGone => error instanceof CursorGone

/** Adds the routes to the api's router. */
export const layer: Layer.Layer<never, never, Gateway | OpenStreams> = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<Gateway | OpenStreams>()
    for (const { answer, method, path } of routes) {
      // The guard's Gateway, which comes with the request, takes precedence over the one that the layer was built with.
      const narrowed = Effect.mapInputContext(
        Effect.catchIf(answer, isTooLate, (error) => Effect.succeed(tooLate(error))),
        (input: Context.Context<OfRequest>) => Context.merge(context, input)
      )
      yield* router.addRoute(HttpRouter.makeRoute(method, path, narrowed))
    }
  })
)
