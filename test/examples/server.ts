/**
 * A server with owners and server-sent events.
 *
 * - Each request sees only its owner's sessions: those of other owners are not found.
 * - `send` returns immediately; a client that wants to see the run listens. A client that comes back with
 *   `Last-Event-ID` misses nothing and gets nothing twice.
 * - A deploy sends SIGTERM: streams end, runs are released, and the next server continues them. Calls that had started
 *   are not run again.
 *
 * The model is scripted, so that this runs without a key; a real one is `Anthropic.models({ model })`.
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Context, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Session, SessionEvent, SkeinError, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

const build = Tool.make("build", { description: "Builds the project", access: "read", input: {} }).handle(() =>
  Effect.as(Effect.sleep("1 hour"), "built")
)
const model = ScriptedModel.make([ScriptedModel.calls(ScriptedModel.call(build, {})), ScriptedModel.text("I looked.")])
const agent = Agents.layer({ models: Model.always(model), tools: [build], policy: Permissions.askToWrite })

class Owner extends Context.Tag("app/Owner")<Owner, Session.Owner>() {}

class Authentication extends HttpApiMiddleware.Tag<Authentication>()("app/Authentication", {
  provides: Owner,
  security: { bearer: HttpApiSecurity.bearer }
}) {}

/** In your server: look up whose token this is. */
const AuthenticationLive = Layer.succeed(Authentication, {
  bearer: (token) => Effect.succeed(Session.Owner.make(Redacted.value(token)))
})

const path = Schema.Struct({ sessionId: Session.Id })

const Chat = HttpApiGroup.make("chat")
  .add(HttpApiEndpoint.post("create", "/sessions").addSuccess(Session.Session).addError(SkeinError.Create))
  .add(
    HttpApiEndpoint.post("send", "/sessions/:sessionId/messages")
      .setPath(path)
      .setPayload(Schema.Struct({ text: Schema.String, key: Schema.String }))
      .addSuccess(Run.Ref, { status: 202 })
      .addError(SkeinError.Send)
  )
  .add(
    HttpApiEndpoint.get("events", "/sessions/:sessionId/events")
      .setPath(path)
      .setHeaders(
        Schema.Struct({ "last-event-id": Schema.optional(Schema.compose(Schema.NumberFromString, Session.Cursor)) })
      )
      .addSuccess(Schema.String)
      .addError(SkeinError.Events)
  )
  .middleware(Authentication)
const Api = HttpApi.make("api").add(Chat)

const gatewayOfOwner = Effect.flatMap(Owner, (owner) => Gateway.restrict({ owner }))

const ChatLive = HttpApiBuilder.group(Api, "chat", (handlers) =>
  handlers
    .handle("create", () => Effect.flatMap(gatewayOfOwner, (gateway) => gateway.create({})))
    .handle("send", ({ path: { sessionId }, payload: { key, text } }) =>
      Effect.flatMap(gatewayOfOwner, (gateway) => gateway.send({ sessionId, text, idempotencyKey: key }))
    )
    .handle("events", ({ headers: { "last-event-id": after }, path: { sessionId } }) =>
      Effect.gen(function* () {
        const events = yield* (yield* gatewayOfOwner).subscribe({ sessionId, after }) // 404 and 410 come before the stream
        return HttpServerResponse.stream(events.pipe(Stream.map(SessionEvent.toSse), Stream.encodeText), {
          contentType: "text/event-stream"
        })
      })
    )
)

const ServerLive = HttpApiBuilder.serve().pipe(
  HttpServer.withLogAddress,
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide(ChatLive),
  Layer.provide([
    AuthenticationLive,
    SkeinNode.layer({ data: "./data", recovery: "continue", drainMillis: 1000 }).pipe(Layer.provide(agent))
  ]),
  // Node's own `createServer` would end the process when a connection breaks that had offered a WebSocket.
  Layer.provide(
    NodeHttpServer.layerConfig(SkeinHttp.createServer, { port: Config.integer("PORT").pipe(Config.withDefault(3000)) })
  )
)

NodeRuntime.runMain(Layer.launch(ServerLive))
