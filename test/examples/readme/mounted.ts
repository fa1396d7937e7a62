import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Actor, Session } from "skein"
import { SkeinHttp } from "skein/http"
import { Effect, Layer } from "effect"

const users = new Map([["Bearer of-ann", "ann"]])

const who = SkeinHttp.principals(
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest
    const user = users.get(headers["authorization"] ?? "")
    if (user === undefined) return yield* new SkeinHttp.Unauthorized()
    return { owner: Session.Owner.make(user), actor: Actor.Actor.make(user) }
  })
)

export const AppLive = HttpApiBuilder.serve().pipe(Layer.provide(SkeinHttp.layer("/skein")), Layer.provide(who))
