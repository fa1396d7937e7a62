/**
 * Who asks: the one port between a host's authentication and the routes. It is asked before anything else of a request
 * is looked at, its path included, so that whoever is refused learns nothing of what there is.
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Effect, Layer } from "effect"
import type { Forbidden } from "../../domain/SkeinError.js"
import type { Restriction } from "../../services/gateway/Restricted.js"
import type { Unauthorized } from "./RequestErrors.js"

/** What of the Gateway the sender of a request sees: its owner's sessions, reading only, and the actor of its changes. */
export class Principals extends Context.Tag("skein/http/Principals")<
  Principals,
  Effect.Effect<Restriction, Unauthorized | Forbidden, HttpServerRequest>
>() {}

/** Asks an effect, which may look at the request. It fails with `Unauthorized` when it does not know who asks. */
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
