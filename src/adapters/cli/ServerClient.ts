/** Talks to a server that was found, through its socket if it has one. Loaded when there is a server. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, Layer, Option, Ref } from "effect"
import { realpathSync } from "node:fs"
import type { AgentOptions } from "node:http"
import * as SkeinClient from "../http/client/SkeinClient.js"
import * as Identity from "../node/Identity.js"
import * as TokenFolder from "../server/access/TokenFolder.js"
import * as Discovery from "../server/Discovery.js"
import * as Workspaces from "../server/Workspaces.js"
import type { LiveServer, Offer } from "./LiveServer.js"
import * as RemoteGateway from "./RemoteGateway.js"
import type { ServerFolder } from "./ServerFolder.js"

/** How long a server has to show that it is alive. */
const patience = "3 seconds"

/** The URL that stands for a socket. */
const atSocket = "http://localhost"

/** An HTTP client for requests to `atSocket`, which reach this server. */
const httpOf = ({ socket, url }: Discovery.Server) => {
  const agent: AgentOptions & { readonly socketPath?: string } = socket === null ? {} : { socketPath: socket }
  const http = Effect.provide(
    HttpClient.HttpClient,
    Layer.provide(NodeHttpClient.layerWithoutAgent, NodeHttpClient.makeAgentLayer(agent))
  )
  if (socket !== null || url === null) return http
  const toServer = (request: HttpClientRequest.HttpClientRequest) =>
    HttpClientRequest.setUrl(request, request.url.replace(atSocket, url))
  return Effect.map(http, HttpClient.mapRequest(toServer))
}

/**
 * A client that looks for a server again before it asks one that was lost: the next one may listen elsewhere. `onLost` is
 * run each time that the server of a stream cannot be reached.
 */
const clientOf = Effect.fnUntraced(function* (
  server: Discovery.Server,
  token: string,
  look: Effect.Effect<ReadonlyArray<Discovery.Server>>,
  onLost: Effect.Effect<void>
) {
  const current = yield* Ref.make(yield* httpOf(server))
  const isLost = yield* Ref.make(false)
  const lookAgain = Effect.flatMap(look, ([found]) =>
    found === undefined ? Effect.void : Effect.flatMap(httpOf(found), (http) => Ref.set(current, http))
  )
  const http = HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap((request) =>
      Effect.zipRight(
        Effect.whenEffect(lookAgain, Ref.getAndSet(isLost, false)),
        Effect.flatMap(Ref.get(current), (http) => http.execute(request))
      )
    ),
    Effect.succeed
  )
  return yield* SkeinClient.make({
    url: atSocket,
    headers: { authorization: `Bearer ${token}` },
    onLost: Effect.zipRight(Ref.set(isLost, true), onLost)
  }).pipe(Effect.provideService(HttpClient.HttpClient, http))
})

const holds = (root: string) => (workdir: string) =>
  Option.exists(Option.liftThrowable((path: string) => realpathSync(path))(workdir), (path) =>
    Workspaces.isWithin(root, path)
  )

const offerOf = ({ model, root }: Discovery.Server): Offer => ({ model, holds: holds(root) })

/** The newest server that is `wanted`, is proven to be alive, and answers; null for none. */
export const connect = Effect.fn("ServerClient.connect")(
  function* (
    { path, running }: ServerFolder,
    version: string,
    wanted: (offer: Offer) => boolean,
    onLost: Effect.Effect<void>
  ) {
    const found = Effect.provide(Discovery.find(running, version), Layer.fresh(Identity.layer))
    const look = Effect.map(found, (servers) => servers.filter((server) => wanted(offerOf(server))))
    const token = yield* Effect.flatMap(TokenFolder.localIfThere(path), Effect.fromNullable)
    const attempt = Effect.fnUntraced(function* (server: Discovery.Server) {
      const client = yield* clientOf(server, token, look, onLost)
      yield* Effect.timeout(client.sessions({ limit: 1 }), patience)
      return { gateway: RemoteGateway.make(client), ...offerOf(server) } satisfies LiveServer
    })
    return yield* Effect.firstSuccessOf([...(yield* look).map(attempt), Effect.succeed(null)])
  },
  Effect.orElseSucceed((): LiveServer | null => null)
)
