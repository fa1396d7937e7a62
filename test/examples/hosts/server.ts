import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { Gateway, Run, Session, SessionEvent, SkeinError } from "skein"
import { createServer } from "node:http"
import { SkeinLive } from "./host.js"

class CurrentUser extends Context.Tag("app/CurrentUser")<CurrentUser, { readonly id: Session.Owner }>() {}
class Authentication extends HttpApiMiddleware.Tag<Authentication>()("app/Authentication", {
  provides: CurrentUser,
  failure: HttpApiError.Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {}

const path = Schema.Struct({ sessionId: Session.Id })
const Chat = HttpApiGroup.make("chat")
  .add(
    HttpApiEndpoint.post("send", "/sessions/:sessionId/messages")
      .setPath(path)
      .setPayload(Schema.Struct({ text: Schema.String }))
      .addSuccess(Run.Ref, { status: 202 })
      .addError(SkeinError.Send)
  )
  .add(
    HttpApiEndpoint.get("events", "/sessions/:sessionId/events")
      .setPath(path)
      .setUrlParams(Schema.Struct({ after: Schema.compose(Schema.NumberFromString, Session.Cursor) }))
      .addSuccess(Schema.String)
      .addError(SkeinError.Events)
  )
  .middleware(Authentication)
const Api = HttpApi.make("api").add(Chat)

const gatewayOfUser = Effect.flatMap(CurrentUser, (user) => Gateway.forOwner(user.id))
const ChatLive = HttpApiBuilder.group(Api, "chat", (handlers) =>
  handlers
    .handle(
      "send",
      Effect.fn(function* ({ path, payload }) {
        const { id } = yield* CurrentUser
        return yield* (yield* gatewayOfUser).send({
          sessionId: path.sessionId,
          text: payload.text,
          metadata: { user: id }
        })
      })
    )
    .handle(
      "events",
      Effect.fn(function* ({ path, urlParams }) {
        const gateway = yield* gatewayOfUser
        yield* gateway.session(path.sessionId) // 404 before the stream begins
        const events = gateway.events({ sessionId: path.sessionId, after: urlParams.after })
        return HttpServerResponse.stream(events.pipe(Stream.map(SessionEvent.toSse), Stream.encodeText), {
          contentType: "text/event-stream"
        })
      })
    )
)

const AuthenticationLive = Layer.succeed(Authentication, {
  bearer: (token) => Effect.succeed({ id: Session.Owner.make(Redacted.value(token)) })
})

export const ServerLive = HttpApiBuilder.serve().pipe(
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide(ChatLive),
  Layer.provide([AuthenticationLive, SkeinLive]),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 }))
)
