/**
 * Who asks: the one port between a host's authentication and the routes. It is asked before anything else in a request
 * is read, even its path, so that a caller who is refused learns nothing about what exists.
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Effect, Layer } from "effect"
import type { Forbidden } from "../../domain/SkeinError.js"
import type { Restriction } from "../../services/gateway/Restricted.js"
import type { Unauthorized } from "./RequestErrors.js"

/** What the sender of a request may use of the Gateway: whose sessions, only for reading or not, as which actor. */
export class Principals extends Context.Tag("skein/http/Principals")<
  Principals,
  Effect.Effect<Restriction, Unauthorized | Forbidden, HttpServerRequest>
>() {}

/** Asks an effect, which may read the request. The effect fails with `Unauthorized` when it does not know who asks. */
export function principals<R>(
  who: Effect.Effect<Restriction, Unauthorized | Forbidden, R>
): Layer.Layer<Principals, never, Exclude<R, HttpServerRequest>>
export function principals(
  who: Effect.Effect<Restriction, Unauthorized | Forbidden, HttpServerRequest>
): Layer.Layer<Principals> {
  return Layer.effect(
    Principals,
    Effect.map(Effect.context<never>(), (context) =>
      Effect.mapInputContext(who, (request: Context.Context<HttpServerRequest>) => Context.merge(context, request))
    )
  )
}

/** Whoever reaches the server may see and do everything. */
export const everybody: Layer.Layer<Principals> = Layer.succeed(Principals, Effect.succeed({}))
