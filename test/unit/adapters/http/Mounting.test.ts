/** The routes within a host's own server, and what they get from the host's authentication. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Effect, Layer, Queue, Schema } from "effect"
import { Actor, Gateway, Session } from "skein"
import { SkeinHttp } from "skein/http"
import { AppLive } from "../../../examples/readme/mounted.js"
import { open } from "../../services/runtime/fixture.js"
import { listen } from "./listening.js"
import { requestOf, serve } from "./server.js"

const Own = HttpApiGroup.make("own").add(HttpApiEndpoint.get("hello", "/hello").addSuccess(Schema.String))
const OwnApi = HttpApi.make("host").add(Own)
const OwnLive = HttpApiBuilder.group(OwnApi, "own", (handlers) => handlers.handle("hello", () => Effect.succeed("hi")))

const withApi = HttpApiBuilder.serve().pipe(
  Layer.provide(SkeinHttp.layer("/skein")),
  Layer.provide(HttpApiBuilder.api(OwnApi)),
  Layer.provide(OwnLive)
)

const withRouter = HttpLayerRouter.serve(
  Layer.mergeAll(
    SkeinHttp.layerRouter("/skein"),
    HttpLayerRouter.add("GET", "/hello", HttpServerResponse.unsafeJson("hi"))
  )
)

const mounted = <E>(app: Layer.Layer<never, E, Layer.Layer.Context<typeof withApi>>) =>
  Effect.gen(function* () {
    const engine = yield* open()
    const context = yield* Layer.build(
      app.pipe(
        Layer.provide([Layer.succeed(Gateway.Gateway, engine.gateway), SkeinHttp.everybody]),
        Layer.provideMerge(NodeHttpServer.layer(SkeinHttp.createServer, { port: 0, host: "127.0.0.1" })),
        Layer.orDie
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    return { ...engine, port, request: requestOf(port) }
  })

const body = (value: unknown) => ({ body: JSON.stringify(value) })

describe("within a host's server", () => {
  for (const [title, app] of [
    ["HttpApiBuilder", withApi],
    ["HttpLayerRouter", withRouter]
  ] as const) {
    it.scoped(`with ${title}, the routes are under their path, next to the host's own`, () =>
      Effect.gen(function* () {
        const { gateway, request } = yield* mounted(app)
        expect((yield* request("GET", "/hello")).json()).toBe("hi")
        expect((yield* request("POST", "/skein/v1/sessions", body({ id: "s1" }))).status).toBe(201)
        expect((yield* request("GET", "/skein/v1/sessions/s1")).json()).toEqual(
          yield* gateway.session(Session.Id.make("s1"))
        )
        const none = yield* request("GET", "/skein/v1/hello")
        expect([none.status, none.json()]).toMatchObject([404, { _tag: "NoSuchRoute" }])
        const wrong = yield* request("PUT", "/skein/v1/sessions/s1", body({}))
        expect([wrong.status, wrong.headers["allow"]]).toEqual([405, "GET, HEAD, PATCH, DELETE"])
        expect((yield* request("GET", "/v1/sessions/s1")).status).toBe(404)
      })
    )
  }
})

describe("a host's middleware", () => {
  it.scoped("adds its headers to streams of events too", () =>
    Effect.gen(function* () {
      const cors = HttpApiBuilder.serve(HttpMiddleware.cors({ allowedOrigins: ["http://one.test"] }))
      const { port, session } = yield* mounted(
        cors.pipe(
          Layer.provide(SkeinHttp.layer("/skein")),
          Layer.provide(HttpApiBuilder.api(OwnApi)),
          Layer.provide(OwnLive)
        )
      )
      const { id } = yield* session()
      const path = `/skein/v1/sessions/${id}/events`
      const { headers, next } = yield* listen(port, path, { origin: "http://one.test" })
      expect(headers).toMatchObject({
        "access-control-allow-origin": "http://one.test",
        "content-type": "text/event-stream"
      })
      expect(yield* next).toMatchObject({ id: "1", event: "session.created" })
      const head = yield* requestOf(port)("HEAD", path)
      expect([head.status, head.headers["content-type"], head.text]).toEqual([200, "text/event-stream", ""])
    })
  )

  it.scoped("ends when a stream of events begins, and is not called for it again", () =>
    Effect.gen(function* () {
      const answers = yield* Queue.unbounded<number>()
      const counting = HttpMiddleware.make((app) =>
        Effect.zipRight(
          HttpApp.appendPreResponseHandler((_, answer) => Effect.as(Queue.offer(answers, answer.status), answer)),
          Effect.ensuring(app, Queue.offer(answers, 0))
        )
      )
      const { gateway, port, session } = yield* mounted(
        HttpApiBuilder.serve(counting).pipe(
          Layer.provide(SkeinHttp.layer("/skein")),
          Layer.provide(HttpApiBuilder.api(OwnApi)),
          Layer.provide(OwnLive)
        )
      )
      const { id } = yield* session()
      const { next, until } = yield* listen(port, `/skein/v1/sessions/${id}/events`)
      yield* next
      expect(yield* Queue.takeN(answers, 2)).toEqual(Chunk.make(200, 0))
      yield* gateway.patch({ sessionId: id, title: "after" })
      expect((yield* until(({ event }) => event === "session.renamed")).at(-1)?.id).toBe("2")
      yield* gateway.delete(id)
      expect((yield* until(() => false)).map(({ event }) => event)).toEqual(["session.deleted"])
      expect(yield* Queue.size(answers)).toBe(0)
    })
  )
})

describe("the guide's server", () => {
  it.scoped("knows its users by their token, and no one else", () =>
    Effect.gen(function* () {
      const { request } = yield* mounted(
        AppLive.pipe(Layer.provide(HttpApiBuilder.api(OwnApi)), Layer.provide(OwnLive))
      )
      const ann = { headers: { authorization: "Bearer of-ann" } }
      const created = yield* request("POST", "/skein/v1/sessions", { ...body({}), ...ann })
      expect([created.status, created.json()]).toMatchObject([201, { owner: "ann" }])
      expect((yield* request("GET", "/skein/v1/sessions")).status).toBe(401)
    })
  )
})

describe("a principal", () => {
  const who = SkeinHttp.principals(
    Effect.gen(function* () {
      const { headers } = yield* HttpServerRequest
      const name = headers["x-user"]
      if (name === undefined) return yield* new SkeinHttp.Unauthorized()
      const scope = headers["x-scope"] === "read" ? ("read" as const) : ("write" as const)
      return { owner: Session.Owner.make(name), actor: Actor.Actor.make(`user ${name}`), scope }
    })
  )
  const as = (name: string, scope = "write") => ({ headers: { "x-user": name, "x-scope": scope } })

  it.scoped("sees only the owner's sessions, and makes changes as the actor and within the scope", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      const { request } = yield* serve(gateway, who)
      const created = yield* request("POST", "/v1/sessions", { ...body({ id: "anns" }), ...as("ann") })
      expect([created.status, created.json()]).toMatchObject([201, { owner: "ann" }])
      yield* request("PATCH", "/v1/sessions/anns", { ...body({ title: "New" }), ...as("ann") })
      const sessionId = Session.Id.make("anns")
      yield* gateway.append(sessionId, [])
      const others = yield* request("GET", "/v1/sessions/anns", as("bob"))
      const nobodys = yield* request("GET", "/v1/sessions/none", as("bob"))
      expect([others.status, others.text]).toEqual([404, nobodys.text.replaceAll("none", "anns")])
      expect((yield* request("GET", "/v1/sessions", as("bob"))).json()).toMatchObject({ sessions: [] })
      expect((yield* request("GET", "/v1/sessions/anns/events", as("bob"))).status).toBe(404)
      const read = yield* request("PATCH", "/v1/sessions/anns", { ...body({ title: "No" }), ...as("ann", "read") })
      expect([read.status, read.json()]).toMatchObject([403, { _tag: "Forbidden", operation: "patch" }])
      expect((yield* request("GET", "/v1/sessions/anns", as("ann", "read"))).json()).toMatchObject({ title: "New" })
      const sent = yield* request("POST", "/v1/sessions/anns/messages", { ...body({ text: "hi" }), ...as("ann") })
      const { runId } = Schema.decodeUnknownSync(Schema.Struct({ runId: Schema.String }))(sent.json())
      expect((yield* request("GET", `/v1/runs/${runId}`, as("ann"))).json()).toMatchObject({ actor: "user ann" })
      expect((yield* request("GET", `/v1/runs/${runId}`, as("bob"))).json()).toMatchObject({ _tag: "RunNotFound" })
    })
  )

  it.scoped("is required first: without one, even unknown routes and methods are a 401", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      yield* gateway.create({ id: Session.Id.make("s1") })
      const { request } = yield* serve(gateway, who)
      for (const [method, path] of [
        ["GET", "/v1/sessions/s1"],
        ["GET", "/v1/nothing"],
        ["PUT", "/v1/sessions"],
        ["HEAD", "/v1/sessions/s1"],
        ["OPTIONS", "/v1/sessions"],
        ["GET", "/v1/sessions/s1/events"],
        ["POST", "/v1/sessions"]
      ] as const) {
        const answer = yield* request(method, path, method === "POST" ? { body: "{" } : {})
        expect([path, answer.status, answer.headers["www-authenticate"]]).toEqual([path, 401, "Bearer"])
        if (method !== "HEAD") expect(answer.json()).toMatchObject({ _tag: "Unauthorized" })
      }
    })
  )
})
